import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { acquireRepositoryLock } from '../../../mcp-server/store/lock.ts';

/** Does the work as somebody who can read the folder and not write in it. */
const asNobody = async (folder: string, work: () => void): Promise<void> => {
  await chmod(folder, 0o555);
  const root = process.geteuid?.() === 0;
  if (root) process.seteuid?.(65_534);
  try {
    work();
  } finally {
    if (root) process.seteuid?.(0);
    await chmod(folder, 0o755);
  }
};

const LOCK = pathToFileURL(join(import.meta.dirname, '../../../mcp-server/store/lock.ts')).href;

describe('the repository lock', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coppice-lock-'));
    path = join(folder, '.coppice', 'engine.lock.db');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const other = (after: string) =>
    spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { acquireRepositoryLock } from ${JSON.stringify(LOCK)};
         console.log(acquireRepositoryLock(${JSON.stringify(path)}) ? 'got it' : 'refused'); ${after}`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
  const said = async (child: ReturnType<typeof other>): Promise<string> => {
    assert.ok(child.stdout);
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    return chunk.toString().trim();
  };

  it('is one process’s, and free again when that releases it', async () => {
    const lock = acquireRepositoryLock(path);
    assert.ok(lock);
    assert.equal(acquireRepositoryLock(path), null);
    const refused = other('');
    const start = performance.now();
    assert.equal(await said(refused), 'refused');
    assert.ok(performance.now() - start < 4000, 'at once');
    if (refused.exitCode === null) await once(refused, 'close');
    lock.release();
    const next = acquireRepositoryLock(path);
    assert.ok(next);
    next.release();
    assert.deepEqual(await readdir(join(folder, '.coppice')), ['engine.lock.db']);
  });

  it('says which folder cannot be written, and what to do', async () => {
    const refused = (error: unknown): boolean =>
      error instanceof UserError &&
      error.code === 'permission-denied' &&
      error.message.startsWith(`${join(folder, '.coppice')} cannot be written (`) &&
      error.message.includes(`the right to write in ${folder}`);
    await asNobody(folder, () => assert.throws(() => acquireRepositoryLock(path), refused));
    await mkdir(join(folder, '.coppice'));
    await asNobody(join(folder, '.coppice'), () => assert.throws(() => acquireRepositoryLock(path), refused));
  });

  it('says so when a file is in the way', async () => {
    await writeFile(join(folder, '.coppice'), '');
    assert.throws(() => acquireRepositoryLock(path), /\.coppice is not a folder\. Move it away/);
  });

  it('is free after its holder was killed, with nothing stale', async () => {
    const holder = other('setInterval(() => {}, 1000);');
    assert.equal(await said(holder), 'got it');
    assert.equal(acquireRepositoryLock(path), null);
    holder.kill('SIGKILL');
    await once(holder, 'close');
    const lock = acquireRepositoryLock(path);
    assert.ok(lock);
    lock.release();
  });
});
