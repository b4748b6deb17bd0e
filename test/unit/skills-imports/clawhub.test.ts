import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../../mcp-server/domain/clock.ts';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { IMPORT_LIMITS } from '../../../mcp-server/skills/imports/bundle.ts';
import { createClawHub } from '../../../mcp-server/skills/imports/from-clawhub.ts';
import { createFetchCommit } from '../../../mcp-server/worktrees/fetch-skills.ts';
import { makeRepository } from '../../support/repository.ts';
import { type HubServer, type Intercept, startHub } from './hub-server.ts';
import { makeZip } from './zip-writer.ts';

const SKILL = '---\nname: weather\ndescription: Says how the weather is.\n---\nLook out of the window.\n';
const ARCHIVE = makeZip([
  { name: 'SKILL.md', data: SKILL },
  { name: 'scripts/look.sh', data: 'echo sun', mode: 0o100755 },
]);
const never = new AbortController().signal;

describe('a hub that speaks ClawHub’s API', () => {
  let hub: HubServer;
  let temp = '';
  let waits: number[] = [];
  beforeEach(async () => {
    hub = await startHub();
    hub.skills = { weather: { owner: 'ann', latest: '1.1.0', versions: { '1.0.0': ARCHIVE, '1.1.0': ARCHIVE } } };
    temp = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-hub-')));
    waits = [];
  });
  afterEach(async () => {
    await hub.close();
    rmSync(temp, { recursive: true, force: true });
  });

  const clock: Clock = {
    ...systemClock,
    now: () => Date.parse('2026-11-20T12:00:00Z'),
    sleep: async (ms) => void waits.push(ms),
  };
  const client = (
    more: { baseUrl?: string; maxBytes?: number; hosts?: readonly string[]; repositories?: string } = {},
  ) =>
    createClawHub({
      baseUrl: hub.url,
      fetch: (url, init) => fetch(url, init),
      clock,
      maxBytes: 1_000_000,
      limits: IMPORT_LIMITS,
      fetchCommit: createFetchCommit({
        tempDir: temp,
        baseDir: temp,
        environment: { PATH: process.env['PATH'], HOME: temp },
        clock: systemClock,
        limits: { storedBytes: 10_000_000, timeoutMs: 20_000 },
      }),
      ...more,
    });
  const refused = (work: Promise<unknown>, code: string, words: RegExp) =>
    assert.rejects(work, (error) => error instanceof UserError && error.code === code && words.test(error.message));

  it('finds skills, with their owners, because a name alone may be ambiguous', async () => {
    hub.skills['whether'] = { owner: 'bob', latest: '2.0.0', versions: {} };
    assert.deepEqual(await client().search('whe', 5, never), [
      { slug: 'bob/whether', title: 'WHETHER', summary: 'About whether', version: '2.0.0' },
    ]);
    assert.deepEqual(await client().search('no such thing', 5, never), []);
    assert.match(hub.requests[0] ?? '', /^\/api\/v1\/search\?q=whe&limit=5$/);
  });

  it('lists versions, and tells which one has a fingerprint', async () => {
    const versions = await client().versions('ann/weather', never);
    assert.deepEqual(
      versions.map(({ version }) => version),
      ['1.0.0', '1.1.0'],
    );
    hub.skills['weather'] = { ...hub.skills['weather']!, fingerprints: { abc: '1.0.0' } };
    assert.deepEqual(await client().resolve('weather', 'abc', never), { match: '1.0.0', latest: '1.1.0' });
    assert.deepEqual(await client().resolve('weather', 'def', never), { match: null, latest: '1.1.0' });
  });

  it('downloads the version that was verified', async () => {
    const found = await client().fetch('@ann/weather', null, never);
    assert.deepEqual(
      [found.version, found.publisher, found.bundle.name, found.commit],
      ['1.1.0', 'ann', 'weather', null],
    );
    assert.deepEqual(
      found.bundle.files.map(({ path, executable }) => [path, executable]),
      [
        ['SKILL.md', false],
        ['scripts/look.sh', true],
      ],
    );
    assert.equal(found.archive, createHash('sha256').update(ARCHIVE).digest('hex'));
    assert.deepEqual(hub.requests, [
      '/api/v1/skills/weather/verify?ownerHandle=ann',
      '/api/v1/download?slug=weather&version=1.1.0&ownerHandle=ann',
    ]);
    assert.equal((await client().fetch('weather', '1.0.0', never)).version, '1.0.0');
  });

  it('unpacks a skill that lies in a folder of the archive, and one whose file is called skills.md', async () => {
    const inside = makeZip([
      { name: 'weather-1/skills.md', data: SKILL },
      { name: 'weather-1/a.txt', data: 'a' },
    ]);
    hub.skills = { weather: { owner: 'ann', latest: '1.0.0', versions: { '1.0.0': inside } } };
    const { bundle } = await client().fetch('weather', null, never);
    assert.deepEqual(
      bundle.files.map(({ path }) => path),
      ['SKILL.md', 'a.txt'],
    );
  });

  it('does not fetch what the hub itself does not vouch for', async () => {
    hub.skills['weather'] = { ...hub.skills['weather']!, ok: false, reasons: ['security.status.suspicious'] };
    await refused(client().fetch('weather', null, never), 'permission-denied', /security\.status\.suspicious/);
    assert.equal(hub.requests.length, 1);
  });

  it('takes a handoff to a repository at its commit, and not another one', async () => {
    const root = join(temp, 'github', 'ann', 'skills');
    mkdirSync(root, { recursive: true });
    const source = makeRepository({ 'skills/weather/SKILL.md': SKILL, 'skills/other/SKILL.md': SKILL }, root);
    const commit = source.git('rev-parse', 'HEAD');
    source.write('skills/weather/SKILL.md', 'changed later');
    source.commit('Later');
    const handoff = { repo: 'ann/skills', commit, path: 'skills/weather' };
    hub.skills = { weather: { owner: 'ann', latest: '1.0.0', versions: { '1.0.0': handoff } } };
    const repositories = `${join(temp, 'github')}/`;
    const found = await client({ repositories }).fetch('weather', null, never);
    assert.deepEqual(found.commit, { url: `${repositories}ann/skills`, commit, path: 'skills/weather' });
    assert.equal(Buffer.from(found.bundle.files[0]?.bytes ?? []).toString(), SKILL);
    for (const bad of [
      { ...handoff, repo: '../../etc' },
      { ...handoff, repo: '-x/y' },
      { ...handoff, repo: 'a/b/c' },
      { ...handoff, commit: 'main' },
    ]) {
      hub.skills = { weather: { owner: 'ann', latest: '1.0.0', versions: { '1.0.0': bad } } };
      await refused(client({ repositories }).fetch('weather', null, never), 'not-found', /makes no sense/);
    }
  });

  it('waits as long as the hub asks for, in seconds or until a time, and tries again', async () => {
    const asked = ['7', 'Fri, 20 Nov 2026 12:00:30 GMT', null];
    hub.intercept = (_request, response) => {
      if (asked.length === 0) return false;
      const after = asked.shift() ?? null;
      response.writeHead(429, { 'content-type': 'text/plain', ...(after !== null && { 'retry-after': after }) });
      response.end('Rate limit exceeded');
      return true;
    };
    assert.equal((await client().versions('weather', never)).length, 2);
    assert.deepEqual(waits, [7_000, 30_000, 4_000]);
  });

  it('does not wait for ever, nor for long: it says when to come back', async () => {
    const busy = (after: string): void => {
      hub.intercept = (_request, response) => {
        response.writeHead(429, { 'retry-after': after });
        response.end();
        return true;
      };
    };
    busy('3600');
    await refused(client().versions('weather', never), 'not-found', /Try again in 3600 s/);
    assert.deepEqual(waits, []);
    busy('1');
    await refused(client().versions('weather', never), 'not-found', /Try again in 1 s/);
    assert.deepEqual(waits, [1_000, 1_000, 1_000]);
  });

  it('stops waiting when it is no longer wanted', async () => {
    const stop = new AbortController();
    hub.intercept = (_request, response) => {
      stop.abort(new Error('no longer wanted'));
      response.writeHead(429, { 'retry-after': '1' });
      response.end();
      return true;
    };
    await assert.rejects(client().versions('weather', stop.signal), /no longer wanted|aborted/);
  });

  it('follows a redirect to another host that the person has named, and to no other from there', async () => {
    const other = await startHub();
    try {
      other.skills = hub.skills;
      const sent = new URL(other.url).host;
      const sendOn =
        (to: string): Intercept =>
        (request, response) => {
          response.writeHead(302, { location: `${to}${request.url}` });
          response.end();
          return true;
        };
      hub.intercept = sendOn(other.url);
      await refused(client().versions('weather', never), 'permission-denied', /"skillHubHosts"/);
      await refused(client({ hosts: ['127.0.0.1'] }).versions('weather', never), 'permission-denied', /skillHubHosts/);
      assert.deepEqual(other.requests, []);
      assert.equal((await client({ hosts: [sent] }).versions('weather', never)).length, 2);
      for (const host of ['http://evil.example', 'https://notexample.org', 'https://example.org']) {
        other.intercept = sendOn(host);
        const named = client({ hosts: [sent, 'evil.example', '*.example.org'] });
        await refused(named.versions('weather', never), 'permission-denied', /another host/);
      }
    } finally {
      await other.close();
    }
  });

  it('follows no redirect to another host, and says which it is; within the host it does', async () => {
    hub.intercept = (request, response) => {
      if (!request.url?.startsWith('/api/v1/download')) return false;
      response.writeHead(302, { location: 'https://files.example.com/x.zip' });
      response.end();
      return true;
    };
    await refused(client().fetch('weather', null, never), 'permission-denied', /files\.example\.com/);
    hub.intercept = (request, response) => {
      if (!request.url?.startsWith('/api/v1/skills/old/')) return false;
      response.writeHead(308, { location: '/api/v1/skills/weather/versions' });
      response.end();
      return true;
    };
    assert.equal((await client().versions('old', never)).length, 2);
    hub.intercept = (_request, response) => {
      response.writeHead(302, { location: '/api/v1/again' });
      response.end();
      return true;
    };
    await refused(client().versions('weather', never), 'not-found', /too many redirects/);
  });

  it('reads no more than it may, however much the hub sends', async () => {
    await refused(client({ maxBytes: 100 }).fetch('weather', null, never), 'bad-input', /more than 100 bytes/);
    let sent = 0;
    hub.intercept = (request, response) => {
      if (!request.url?.startsWith('/api/v1/download')) return false;
      response.writeHead(200, { 'content-type': 'application/zip' });
      const more = (): void => {
        if (response.destroyed) return;
        sent += 65_536;
        response.write(Buffer.alloc(65_536), () => setImmediate(more));
      };
      more();
      return true;
    };
    await refused(client().fetch('weather', null, never), 'bad-input', /more than 1000000 bytes/);
    assert.ok(sent < 20_000_000);
  });

  it('believes no archive whose hash is not the promised one', async () => {
    hub.intercept = (request, response) => {
      if (!request.url?.startsWith('/api/v1/download')) return false;
      response.writeHead(200, { 'content-type': 'application/zip', 'x-clawhub-artifact-sha256': '0'.repeat(64) });
      response.end(ARCHIVE);
      return true;
    };
    await refused(client().fetch('weather', null, never), 'not-found', /hash/);
  });

  it('says what the hub says: not there, gone, not allowed, nonsense, broken off, no answer', async () => {
    await refused(client().fetch('nothing', null, never), 'not-found', /no skill nothing/);
    await refused(client().fetch('bob/weather', null, never), 'not-found', /no skill bob\/weather/);
    const say = (status: number, body: string): void => {
      hub.intercept = (_request, response) => {
        response.writeHead(status);
        response.end(body);
        return true;
      };
    };
    say(410, 'This version was deleted');
    await refused(client().versions('weather', never), 'not-found', /410: This version was deleted/);
    say(403, 'Blocked');
    await refused(client().versions('weather', never), 'permission-denied', /403: Blocked/);
    say(500, `oops\n${'x'.repeat(100_000)}`);
    await refused(client().versions('weather', never), 'not-found', /500: oops/);
    say(200, '<html>');
    await refused(client().versions('weather', never), 'not-found', /makes no sense/);
    say(200, '{"items":"none"}');
    await refused(client().versions('weather', never), 'not-found', /makes no sense/);
    hub.intercept = (_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{');
      setTimeout(() => response.destroy(), 20);
      return true;
    };
    await refused(client().versions('weather', never), 'not-found', /broke off/);
    await hub.close();
    await refused(client().versions('weather', never), 'not-found', /did not answer/);
  });

  it('takes names for names, whatever is in them', async () => {
    for (const slug of ['', '../admin', 'a/b/c', 'a?b', 'a#b', '@/x', 'a b', 'x'.repeat(200)])
      await refused(client().fetch(slug, null, never), 'bad-input', /not the name/);
    await client().search('a&limit=999#?', 5, never);
    assert.match(hub.requests.at(-1) ?? '', /q=a%26limit%3D999%23%3F&limit=5$/);
  });

  it('talks to https only, but for this machine', () => {
    for (const baseUrl of [
      'http://clawhub.ai',
      'ftp://x',
      'clawhub.ai',
      'https://user:secret@clawhub.ai',
      'file:///etc',
    ])
      assert.throws(() => client({ baseUrl }), { code: 'bad-input' }, baseUrl);
    client({ baseUrl: 'https://clawhub.ai' });
    client({ baseUrl: 'http://localhost:8080/hub/' });
  });
});
