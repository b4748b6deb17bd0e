import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  addToken,
  digestOf,
  ensureOwnToken,
  OWN_TOKEN,
  readTokens,
  removeToken,
  type TokenPlace,
  tokenPlace,
} from '../../../mcp-server/faces/http/tokens.ts';

const TOKENS = pathToFileURL(join(import.meta.dirname, '../../../mcp-server/faces/http/tokens.ts')).href;

describe('Tokens that many processes write at once', () => {
  let folder: string;
  let place: TokenPlace;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coppice-tokens-'));
    place = tokenPlace(folder, '/some/repository');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Waits for a line on its standard input, so that all begin together. */
  const writer = (code: string): { readonly begin: () => void; readonly ended: Promise<unknown> } => {
    const program = `
      import { addToken, ensureOwnToken } from ${JSON.stringify(TOKENS)};
      const place = ${JSON.stringify(place)};
      process.stdout.write('ready');
      process.stdin.once('data', async () => { ${code}; process.exit(0); });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ready = once(child.stdout, 'data');
    const ended = once(child, 'exit').then(([status]) => assert.equal(status, 0));
    return { begin: () => void ready.then(() => child.stdin.write('go')), ended };
  };

  it('are all there afterwards, also over the lock of a process that died', async () => {
    const gone = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    await once(gone, 'exit');
    await mkdir(dirname(place.list), { recursive: true, mode: 0o700 });
    await writeFile(`${place.list}.lock`, `${gone.pid} abc123\n`);
    const own = `await ensureOwnToken(place, 'run', 1)`;
    const writers = Array.from({ length: 8 }, (_, at) =>
      writer(
        `${own}; for (let n = 0; n < 5; n += 1) await addToken(place, { name: 'w${at}-' + n, scope: 'read', now: 1 })`,
      ),
    );
    for (const { begin } of writers) begin();
    const here = Array.from({ length: 20 }, (_, at) => addToken(place, { name: `here-${at}`, scope: 'land', now: 2 }));
    const texts = await Promise.all(here);
    await Promise.all(writers.map(({ ended }) => ended));
    const tokens = await readTokens(place.list);
    assert.equal(tokens.length, 8 * 5 + 20 + 1);
    assert.equal(new Set(tokens.map(({ name }) => name)).size, tokens.length);
    for (const text of texts) assert.ok(tokens.some(({ sha256 }) => sha256 === digestOf(text)));
    const kept = (await readFile(place.own, 'utf8')).trim();
    assert.equal(
      tokens.find(({ name }) => name === OWN_TOKEN)?.sha256,
      digestOf(kept),
      'the own text is that of the list',
    );
    assert.deepEqual((await readdir(dirname(place.list))).length, 2, 'nothing is left behind');
  }).timeout(20_000);

  it('are one own token, whoever makes it first', async () => {
    await Promise.all(Array.from({ length: 20 }, () => ensureOwnToken(place, 'run', 1)));
    const [only, ...others] = await readTokens(place.list);
    assert.deepEqual(others, []);
    assert.equal(only?.sha256, digestOf((await readFile(place.own, 'utf8')).trim()));
    await Promise.all([removeToken(place, OWN_TOKEN), addToken(place, { name: 'a', scope: 'read', now: 1 })]);
    assert.deepEqual(
      (await readTokens(place.list)).map(({ name }) => name),
      ['a'],
    );
    await assert.rejects(readFile(place.own));
  });

  it('are written although a process died while it wrote', async () => {
    const gone = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    await once(gone, 'exit');
    await ensureOwnToken(place, 'run', 1);
    await writeFile(`${place.list}.lock`, `${gone.pid} abc123\n`);
    await Promise.all(['a', 'b', 'c'].map((name) => addToken(place, { name, scope: 'read', now: 1 })));
    await writeFile(`${place.list}.lock`, '');
    const long = Date.now() / 1000 - 60;
    await utimes(`${place.list}.lock`, long, long);
    await addToken(place, { name: 'd', scope: 'read', now: 1 });
    assert.equal((await readTokens(place.list)).length, 5);
  });
});
