import { crc32, deflateRawSync } from 'node:zlib';

/** An entry of an archive that a test makes; everything about it may be a lie. */
export interface ZipEntry {
  readonly name: string;
  readonly data?: string | Uint8Array;
  /** Unix mode with its type, such as 0o120777 for a link. */
  readonly mode?: number;
  readonly stored?: boolean;
  /** Declared size after inflating, in bytes. */
  readonly claims?: number;
  readonly flags?: number;
}

/** A ZIP archive, written by hand so that a test can lie in it. */
export const makeZip = (entries: readonly ZipEntry[]): Buffer => {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const data = Buffer.from(entry.data ?? '');
    const packed = entry.stored === true ? data : deflateRawSync(data);
    const name = Buffer.from(entry.name);
    const sizes = Buffer.alloc(30);
    sizes.writeUInt32LE(0x04034b50, 0);
    sizes.writeUInt16LE(20, 4);
    sizes.writeUInt16LE(entry.flags ?? 0x800, 6);
    sizes.writeUInt16LE(entry.stored === true ? 0 : 8, 8);
    sizes.writeUInt32LE(crc32(data), 14);
    sizes.writeUInt32LE(packed.length, 18);
    sizes.writeUInt32LE(entry.claims ?? data.length, 22);
    sizes.writeUInt16LE(name.length, 26);
    locals.push(sizes, name, packed);
    const record = Buffer.alloc(46);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt16LE((3 << 8) | 20, 4);
    record.writeUInt16LE(20, 6);
    record.writeUInt16LE(entry.flags ?? 0x800, 8);
    record.writeUInt16LE(entry.stored === true ? 0 : 8, 10);
    record.writeUInt32LE(crc32(data), 16);
    record.writeUInt32LE(packed.length, 20);
    record.writeUInt32LE(entry.claims ?? data.length, 24);
    record.writeUInt16LE(name.length, 28);
    record.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 38);
    record.writeUInt32LE(offset, 42);
    central.push(record, name);
    offset += sizes.length + name.length + packed.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
};
