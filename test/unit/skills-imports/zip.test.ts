import assert from 'node:assert/strict';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { readZip } from '../../../mcp-server/skills/imports/zip.ts';
import { makeZip, type ZipEntry } from './zip-writer.ts';

const LIMITS = { files: 10, fileBytes: 1_000, totalBytes: 1_500 };

describe('unpacking an archive', () => {
  const refused = (entries: readonly ZipEntry[], why: RegExp) =>
    assert.rejects(
      readZip(makeZip(entries), LIMITS),
      (error) => error instanceof UserError && error.code === 'bad-input' && why.test(error.message),
      entries[0]?.name,
    );

  it('gives files with their bytes, stored or deflated, and leaves folders out', async () => {
    const files = await readZip(
      makeZip([
        { name: 'scripts/', mode: 0o40755 },
        { name: 'SKILL.md', data: 'hello' },
        { name: 'scripts/run.sh', data: 'echo', mode: 0o100755, stored: true },
        { name: 'ünï.md', data: 'x' },
        { name: 'empty.txt' },
      ]),
      LIMITS,
    );
    assert.deepEqual(
      files.map(({ path, bytes, executable }) => [path, Buffer.from(bytes).toString(), executable]),
      [
        ['SKILL.md', 'hello', false],
        ['scripts/run.sh', 'echo', true],
        ['ünï.md', 'x', false],
        ['empty.txt', '', false],
      ],
    );
  });

  it('refuses every name that could lead elsewhere', async () => {
    for (const name of [
      '../evil',
      'a/../../evil',
      'a/..',
      './a',
      'a/./b',
      '/etc/passwd',
      '//server/share',
      'C:/evil',
      'c:evil',
      'a\\..\\evil',
      '..\\evil',
      'a//b',
      'CON',
      'a/aux.txt',
      'COM1.md',
      'evil.',
      'a /b',
      'a\0b',
      'a\nb',
      'a:stream',
      '\u202egpj.exe',
      'x'.repeat(500),
      '../evil/',
      '/evil/',
    ])
      await refused([{ name }], /path|unpacked/);
  });

  it('refuses links, devices, and files that are folders at once', async () => {
    await refused([{ name: 'link', data: '/etc/passwd', mode: 0o120777 }], /link or a device/);
    await refused([{ name: 'fifo', mode: 0o010644 }], /link or a device/);
    await refused([{ name: 'socket', mode: 0o140644 }], /link or a device/);
    await refused([{ name: 'link/', data: '/etc', mode: 0o120777 }], /link or a device/);
    await refused([{ name: 'folder', mode: 0o040755 }], /at once/);
    await refused([{ name: 'file/', data: 'x', mode: 0o100644 }], /at once/);
  });

  it('refuses two names that are one somewhere', async () => {
    await refused([{ name: 'a.md' }, { name: 'a.md' }], /twice/);
    await refused([{ name: 'a.md' }, { name: 'A.md' }], /twice/);
    await refused([{ name: 'é.md' }, { name: 'e\u0301.md' }], /twice/);
    await refused([{ name: 'a' }, { name: 'a/b' }], /twice/);
    await refused([{ name: 'a/b' }, { name: 'a' }], /twice/);
    await refused([{ name: 'a/b' }, { name: 'A/c' }], /twice/);
  });

  it('refuses too many files, and too many folders', async () => {
    await refused(
      Array.from({ length: 11 }, (_, index) => ({ name: `${index}.md` })),
      /more than 10 files/,
    );
    await refused(
      Array.from({ length: 100 }, (_, index) => ({ name: `${index}/`, mode: 0o40755 })),
      /more than 10 files/,
    );
  });

  it('refuses too large a file and too much in all, counted as it comes out', async () => {
    await refused([{ name: 'a', data: 'x'.repeat(1_001) }], /larger than/);
    await refused(
      ['a', 'b'].map((name) => ({ name, data: 'x'.repeat(900) })),
      /larger than/,
    );
  });

  it('stops at a bomb that says it is small, without inflating it', async () => {
    const bomb = makeZip([{ name: 'bomb', data: Buffer.alloc(80_000_000), claims: 100 }]);
    const before = process.memoryUsage().rss;
    const started = performance.now();
    await assert.rejects(readZip(bomb, LIMITS), { code: 'bad-input' });
    assert.ok(performance.now() - started < 1_000);
    assert.ok(process.memoryUsage().rss - before < 50_000_000);
  });

  it('refuses what overlaps, is encrypted, damaged, cut off, or no archive', async () => {
    await refused([{ name: 'a', data: 'secret', flags: 0x801 }], /encrypted/);
    const good = makeZip([{ name: 'a', data: 'hello hello hello', stored: true }]);
    const damaged = Buffer.from(good);
    damaged.writeUInt32LE(9_999, 18);
    damaged.writeUInt32LE(0x7fffffff, good.length - 22 + 16);
    for (const bytes of [
      damaged,
      good.subarray(0, good.length - 5),
      Buffer.from('no archive'),
      Buffer.alloc(0),
      good.subarray(40),
    ])
      await assert.rejects(readZip(bytes, LIMITS), { code: 'bad-input' });
    await refused([{ name: 'a', data: 'hello', claims: 3 }], /damaged/);
  });
});
