import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl';
import { messageOf, UserError } from '../../domain/errors.ts';
import { type BundleFile, checkPaths, type ImportLimits, size } from './bundle.ts';

const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;
const UNIX = 3;
const ENCRYPTED = 1;

/**
 * The files of an archive, in memory. Throws UserError `bad-input` for anything but plain files and folders with safe
 * names, and as soon as more comes out of it than the limits allow, whatever the archive says of its own sizes.
 */
export const readZip = async (archive: Uint8Array, limits: ImportLimits): Promise<readonly BundleFile[]> => {
  const zip = await opened(archive);
  const entries: Entry[] = [];
  try {
    for await (const entry of zip.eachEntry()) {
      if (!isFolder(entry)) entries.push(entry);
      // Folders count as well: a million of them is also an attack.
      if (zip.entriesRead > limits.files * 4 || entries.length > limits.files)
        throw refused(`it has more than ${limits.files} files`);
      checkEntry(entry);
    }
    checkPaths(entries.map(({ fileName }) => fileName));
    return await readAll(zip, entries, limits);
  } catch (error) {
    throw error instanceof UserError ? error : refused(`it is damaged (${messageOf(error)})`, error);
  } finally {
    zip.close();
  }
};

const refused = (why: string, cause?: unknown): UserError =>
  new UserError('bad-input', `The ZIP archive was not unpacked: ${why}.`, { cause });

const opened = async (archive: Uint8Array): Promise<ZipFile> => {
  try {
    return await fromBufferPromise(Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength), {
      strictFileNames: true,
    });
  } catch (error) {
    throw refused(`it is damaged, or not a ZIP archive (${messageOf(error)})`, error);
  }
};

const isFolder = (entry: Entry): boolean => entry.fileName.endsWith('/');

const modeOf = (entry: Entry): number => (entry.versionMadeBy >>> 8 === UNIX ? entry.externalFileAttributes >>> 16 : 0);

const checkEntry = (entry: Entry): void => {
  const type = modeOf(entry) & FILE_TYPE;
  const name = JSON.stringify(entry.fileName);
  if (type !== 0 && type !== REGULAR && type !== FOLDER) throw refused(`${name} is a link or a device`);
  if ((type === FOLDER) !== isFolder(entry) && type !== 0) throw refused(`${name} is a file and a folder at once`);
  if ((entry.generalPurposeBitFlag & ENCRYPTED) !== 0) throw refused(`${name} is encrypted`);
  if (isFolder(entry)) checkPaths([entry.fileName.slice(0, -1)]);
};

const readAll = async (zip: ZipFile, entries: readonly Entry[], limits: ImportLimits): Promise<BundleFile[]> => {
  const files: BundleFile[] = [];
  let left = limits.totalBytes;
  for (const entry of entries) {
    const bytes = await readOne(zip, entry, Math.min(left, limits.fileBytes), limits);
    left -= bytes.length;
    files.push({ path: entry.fileName, bytes, executable: (modeOf(entry) & 0o111) !== 0 });
  }
  return files;
};

/** Bytes are counted as they come out: what the archive declares may be a lie. */
const readOne = async (zip: ZipFile, entry: Entry, room: number, limits: ImportLimits): Promise<Buffer> => {
  const stream = await zip.openReadStreamPromise(entry);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > room) {
      stream.destroy();
      throw refused(`it is larger than ${size(limits.fileBytes)} a file or ${size(limits.totalBytes)} in all`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};
