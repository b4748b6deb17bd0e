import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { type Grants, openGrants } from '../../../mcp-server/skills/grants.ts';
import { removeFoldersAfterwards, temporaryFolder } from './places.ts';

const sourceOf = (path: string): string =>
  JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../../mcp-server', path)).href);

const HASH = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);
const open = (file: string, repository = '/home/ada/one'): Promise<Grants> =>
  openGrants({ file, repository, clock: systemClock });

describe('What a person granted', () => {
  removeFoldersAfterwards();
  const file = (): string => join(temporaryFolder(), 'deep', 'grants.json');

  it('holds for one repository, one name and one content, and outlives the process', async () => {
    const at = file();
    const grants = await open(at);
    assert.equal(grants.isTrusted('a', HASH), false);
    await grants.trust('a', HASH);
    for (const one of [grants, await open(at)]) {
      assert.equal(one.isTrusted('a', HASH), true);
      assert.equal(one.isTrusted('a', OTHER), false);
      assert.equal(one.isTrusted('b', HASH), false);
      assert.equal(one.isTrusted('a', ''), false);
    }
    assert.equal((await open(at, '/home/ada/two')).isTrusted('a', HASH), false);
  });

  it('is void for the former content once a new one is trusted, and can be taken back', async () => {
    const grants = await open(file());
    await grants.trust('a', HASH);
    await grants.trust('a', OTHER);
    assert.equal(grants.isTrusted('a', HASH), false);
    await grants.distrust('a');
    assert.equal(grants.isTrusted('a', OTHER), false);
  });

  it('says whether it was for all that the person can do; a grant from before that word was not', async () => {
    const at = file();
    const grants = await open(at);
    await grants.trust('free', HASH, true);
    await grants.trust('held', HASH);
    for (const one of [grants, await open(at)]) {
      assert.deepEqual([one.isTrusted('free', HASH), one.isUnconfined('free', HASH)], [true, true]);
      assert.deepEqual([one.isTrusted('held', HASH), one.isUnconfined('held', HASH)], [true, false]);
      assert.equal(one.isUnconfined('free', OTHER), false);
    }
    await grants.trust('free', HASH);
    assert.equal(grants.isUnconfined('free', HASH), false, 'the last word counts');
    const repositories = { '/home/ada/one': { trusted: { old: { hash: HASH, at: 1 } } } };
    writeFileSync(at, JSON.stringify({ version: 1, repositories }));
    const old = await open(at);
    assert.deepEqual([old.isTrusted('old', HASH), old.isUnconfined('old', HASH)], [true, false]);
    assert.deepEqual(old.diagnostics(), []);
  });

  it('is in a file that only the person can read', async function () {
    if (process.platform === 'win32') this.skip();
    const at = file();
    await (await open(at)).pin('a', true);
    assert.equal(statSync(at).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(at, '..')), ['grants.json']);
  });

  it('counts uses, also those of several processes at once', async () => {
    const at = file();
    const [one, two, other] = [await open(at), await open(at), await open(at, '/home/ada/two')];
    const uses = Array.from({ length: 20 }, (_, n) => [
      one.noteUse('a'),
      two.noteUse('a'),
      other.noteUse('a'),
      n === 3 ? two.pin('p', true) : one.noteUse('b'),
    ]);
    await Promise.all(uses.flat());
    await one.refresh();
    assert.equal(one.uses('a'), 40);
    assert.equal(one.isPinned('p'), true);
    assert.equal((await open(at, '/home/ada/two')).uses('a'), 20);
  });

  it('is all there after eight processes wrote at once, also over the lock of one that died', async () => {
    const folder = temporaryFolder();
    const at = join(folder, 'grants.json');
    const gone = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    await once(gone, 'exit');
    writeFileSync(`${at}.lock`, `${gone.pid} abc123\n`);
    const writers = Array.from({ length: 8 }, (_, number) => {
      const program = `
        import { once } from 'node:events';
        import { systemClock } from ${sourceOf('domain/clock.ts')};
        import { openGrants } from ${sourceOf('skills/grants.ts')};
        const grants = await openGrants({ file: ${JSON.stringify(at)}, repository: '/r', clock: systemClock });
        process.stdout.write('ready');
        await once(process.stdin, 'data');
        for (let n = 0; n < 5; n += 1) {
          await grants.noteUse('a');
          await grants.trust('w${number}-' + n, '${HASH}');
        }
        process.exit(0);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      return { child, ready: once(child.stdout, 'data'), ended: once(child, 'exit') };
    });
    await Promise.all(writers.map(({ ready }) => ready));
    for (const { child } of writers) child.stdin.write('go');
    for (const { ended } of writers) assert.deepEqual(await ended, [0, null]);
    const grants = await open(at, '/r');
    assert.equal(grants.uses('a'), 40);
    for (let number = 0; number < 8; number += 1)
      for (let n = 0; n < 5; n += 1) assert.ok(grants.isTrusted(`w${number}-${n}`, HASH), `w${number}-${n}`);
    assert.deepEqual(readdirSync(folder), ['grants.json']);
  }).timeout(30_000);

  it('pins and unpins by name', async () => {
    const grants = await open(file());
    await grants.pin('a', true);
    await grants.pin('a', true);
    assert.equal(grants.isPinned('a'), true);
    await grants.pin('a', false);
    assert.equal(grants.isPinned('a'), false);
  });

  it('is not confused by names of object keys', async () => {
    const grants = await open(file());
    for (const name of ['__proto__', 'constructor', 'toString']) {
      assert.equal(grants.isTrusted(name, HASH), false);
      assert.equal(grants.uses(name), 0);
    }
  });
});

describe('A file of grants that is not as it should be', () => {
  removeFoldersAfterwards();

  it('is moved aside and said, never overwritten', async () => {
    for (const text of [
      '{"version": 1, "repositor',
      '[]',
      '{"version":1,"repositories":{"/home/ada/one":{"trusted":{"a":{"hash":"x","at":1}}}}}',
      '',
    ]) {
      const folder = temporaryFolder();
      const at = join(folder, 'grants.json');
      writeFileSync(at, text);
      const grants = await open(at);
      assert.equal(grants.isTrusted('a', HASH), false);
      assert.deepEqual(
        grants.diagnostics().map(({ code }) => code),
        ['grants-corrupt'],
      );
      await grants.trust('a', HASH);
      const aside = readdirSync(folder).find((name) => name.includes('corrupt'));
      assert.equal(readFileSync(join(folder, aside ?? ''), 'utf8'), text);
      assert.equal((await open(at)).isTrusted('a', HASH), true);
    }
  });

  it('is left alone when a newer program wrote it', async () => {
    const at = join(temporaryFolder(), 'grants.json');
    const text = '{"version": 2, "everything": "else"}';
    writeFileSync(at, text);
    const grants = await open(at);
    assert.match(grants.diagnostics()[0]?.message ?? '', /Update Coppice/);
    await assert.rejects(grants.trust('a', HASH), /Update Coppice/);
    await grants.noteUse('a');
    assert.equal(grants.uses('a'), 1, 'counted in memory');
    assert.equal(readFileSync(at, 'utf8'), text);
  });

  it('is not lost when writing it fails half-way', async () => {
    const folder = temporaryFolder();
    const at = join(folder, 'grants.json');
    const grants = await open(at);
    await grants.trust('a', HASH);
    writeFileSync(`${at}.${process.pid}.tmp`, 'left behind by a crash');
    await grants.trust('b', HASH);
    const again = await open(at);
    assert.ok(again.isTrusted('a', HASH) && again.isTrusted('b', HASH));
  });

  it('is not held for ever by a process that is gone', async () => {
    const at = join(temporaryFolder(), 'grants.json');
    writeFileSync(`${at}.lock`, '');
    const old = new Date(Date.now() - 60_000);
    utimesSync(`${at}.lock`, old, old);
    const grants = await open(at);
    await grants.trust('a', HASH);
    assert.equal(existsSync(`${at}.lock`), false);
  });
});
