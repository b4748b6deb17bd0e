import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Clock, systemClock } from '../../../mcp-server/domain/clock.ts';
import { withFileLock } from '../../../mcp-server/domain/file-lock.ts';

const LOCK = pathToFileURL(join(import.meta.dirname, '../../../mcp-server/domain/file-lock.ts')).href;

describe('A lock between processes', () => {
  let folder: string;
  let lock: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coppice-lock-'));
    lock = join(folder, 'deep', 'list.lock');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** A process that says `ready`, and waits for a line where the code reads one. */
  const started = (code: string) => {
    const program = `
      import { readFile, writeFile } from 'node:fs/promises';
      import { once } from 'node:events';
      import { withFileLock } from ${JSON.stringify(LOCK)};
      const lock = ${JSON.stringify(lock)};
      ${code}
      process.exit(0);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return { child, ready: once(child.stdout, 'data'), ended: once(child, 'exit') };
  };

  /** Leaves the lock of a process behind that was killed while it held it. */
  const killHolder = async (): Promise<string> => {
    const { child, ready, ended } = started(
      `await withFileLock(lock, async () => { process.stdout.write('ready'); await once(process.stdin, 'data'); });`,
    );
    await ready;
    child.kill('SIGKILL');
    await ended;
    return readFile(lock, 'utf8');
  };

  it('is taken over when its holder was killed, without any wait for its age', async () => {
    await killHolder();
    const frozen: Clock = { ...systemClock, now: () => 0 };
    assert.equal(await withFileLock(lock, async () => 'done', frozen), 'done');
    assert.deepEqual(await readdir(join(folder, 'deep')), []);
  });

  it('is taken over by exactly one of those who wait, again and again', async () => {
    const dead = await killHolder();
    let holders = 0;
    let most = 0;
    let done = 0;
    for (let round = 0; round < 20; round += 1) {
      const lanes = Array.from({ length: 8 }, () =>
        withFileLock(lock, async (held) => {
          holders += 1;
          most = Math.max(most, holders);
          await systemClock.sleep(0);
          await held.check();
          holders -= 1;
          done += 1;
        }),
      );
      await Promise.all(lanes);
      await writeFile(lock, dead);
    }
    assert.deepEqual([most, done], [1, 160]);
  }).timeout(20_000);

  it('loses nothing of what eight processes write at once, however often one leaves the lock of a dead one', async () => {
    const [dead] = (await killHolder()).split(' ');
    const file = join(folder, 'count');
    await writeFile(file, '0');
    const writers = Array.from({ length: 8 }, (_, writer) =>
      started(`
        const file = ${JSON.stringify(file)};
        process.stdout.write('ready');
        await once(process.stdin, 'data');
        for (let n = 0; n < 60; n += 1)
          await withFileLock(lock, async (held) => {
            const before = Number(await readFile(file, 'utf8'));
            await held.check();
            await writeFile(file, String(before + 1));
            if (n % 2 === 0) await writeFile(lock, '${dead} ' + (${writer} * 1000 + n).toString(16) + '\\n');
          });`),
    );
    await Promise.all(writers.map(({ ready }) => ready));
    for (const { child } of writers) child.stdin.write('go');
    for (const { ended } of writers) assert.deepEqual(await ended, [0, null]);
    assert.equal(await readFile(file, 'utf8'), '480');
    assert.deepEqual(await readdir(join(folder, 'deep')), []);
  }).timeout(30_000);

  it('is not taken from a process that lives', async () => {
    await withFileLock(lock, async (held) => {
      let now = Date.now();
      const clock: Clock = { ...systemClock, now: () => now, sleep: async () => void (now += 450) };
      const waits = withFileLock(lock, async () => assert.fail('it was held'), { ...clock, now: () => now - 60_000 });
      await assert.rejects(waits, { code: 'wrong-state', message: /held by another process/ });
      await held.check();
    });
  });

  it('is taken when it is old, and whoever slept so long is told before they write', async () => {
    await withFileLock(lock, async (held) => {
      const long = Date.now() / 1000 - 60;
      await utimes(lock, long, long);
      await withFileLock(lock, async (other) => other.check());
      await assert.rejects(held.check(), { code: 'wrong-state', message: /taken away meanwhile/ });
      await withFileLock(lock, async (other) => {
        await assert.rejects(held.check());
        await other.check();
      });
    });
    assert.deepEqual(await readdir(join(folder, 'deep')), []);
  });

  it('is taken over although another one died while it did so', async () => {
    const dead = await killHolder();
    const aside = `${lock}.${createHash('sha256').update(dead).digest('hex').slice(0, 16)}`;
    await writeFile(aside, dead);
    const long = Date.now() / 1000 - 60;
    await utimes(aside, long, long);
    await withFileLock(lock, (held) => held.check());
    assert.deepEqual(await readdir(join(folder, 'deep')), []);
  });
});
