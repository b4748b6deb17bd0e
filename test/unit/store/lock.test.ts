import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { acquireRepositoryLock } from '../../../mcp-server/store/lock.ts';

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
