import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CLIENTS } from '../../mcp-server/faces/cli/print-config.ts';
import { isAlive, openStage, type Running, type Stage, until } from '../support/coppice-process.ts';
import { judge } from '../support/referee.ts';
import { startTokenProxy } from '../support/token-proxy.ts';

interface Serving {
  readonly url: string;
  readonly mcp: string;
  readonly tokenFile: string | null;
  readonly scope: string;
}

/** `coppice serve` with what it has said of itself. */
const serve = async (stage: Stage, ...args: readonly string[]): Promise<Serving & { running: Running }> => {
  const running = stage.start('serve', '--port', '0', '--json', ...args);
  await running.says('"serving"');
  return { ...(JSON.parse(running.stdout()) as Serving), running };
};
const tokenIn = (path: string | null): string => readFileSync(path ?? '', 'utf8').trim();
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

describe('coppice serve', function () {
  this.timeout(120_000);
  let stage: Stage;

  beforeEach(() => {
    stage = openStage();
  });
  afterEach(() => stage.close());

  const oldClient = async (mcp: string, token: string): Promise<OldClient> => {
    const client = new OldClient({ name: 'old', version: '1' });
    await client.connect(new OldTransport(new URL(mcp), { requestInit: bearer(token) }));
    return client;
  };
  const newClient = async (mcp: string, token: string): Promise<Client> => {
    const client = new Client({ name: 'new', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new StreamableHTTPClientTransport(new URL(mcp), { requestInit: bearer(token) }));
    return client;
  };

  it('carries a task from start to landing for clients of both generations', async () => {
    const { url, mcp, tokenFile, scope } = await serve(stage, '--scope', 'land');
    assert.equal(scope, 'land');
    assert.equal(statSync(tokenFile ?? '').mode & 0o777, 0o600);
    assert.ok(!tokenFile?.startsWith(stage.repo.root));
    const token = tokenIn(tokenFile);
    const options = { server: 'rehearsal', budget: 300_000, unattended: true };
    const one = await newClient(mcp, token);
    const started = await one.callTool({
      name: 'run_start',
      arguments: { task: 'Map this repository: write docs/map', options },
    });
    const { run } = started.structuredContent as { run: string };
    const two = await oldClient(mcp, token);
    let state = 'running';
    while (state === 'running' || state === 'planning') {
      const result = await two.callTool({ name: 'run_wait', arguments: { run, seconds: 5 } });
      state = (result.structuredContent as { state: string }).state;
    }
    assert.equal(state, 'completed');
    const status = (await (await fetch(`${url}/status/${run}`, bearer(token))).json()) as { state: string };
    assert.equal(status.state, 'completed');
    const landed = await one.callTool({ name: 'review_land', arguments: { run } });
    assert.equal((landed.structuredContent as { kind: string }).kind, 'landed');
    await Promise.all([one.close(), two.close()]);
  });

  it('takes the token of the environment, and hides it from the engine', async () => {
    const token = 'a-token-of-the-environment';
    const mine = openStage({ environment: { COPPICE_TOKEN: token } });
    try {
      const { url, tokenFile } = await serve(mine);
      assert.equal(tokenFile, null);
      assert.equal((await fetch(`${url}/metrics`, bearer(token))).status, 200);
      assert.equal((await fetch(`${url}/metrics`, bearer(`${token}x`))).status, 401);
      const environment = readFileSync(`/proc/${mine.enginePid()}/environ`, 'utf8');
      assert.ok(!environment.includes(token));
      assert.ok(!mine.log().includes(token));
    } finally {
      await mine.close();
    }
    const short = openStage({ environment: { COPPICE_TOKEN: 'short' } });
    const refused = await short.run('serve', '--port', '0');
    await short.close();
    assert.deepEqual([refused.status, /at least 16/.test(refused.stderr)], [2, true]);
  });

  it('lets further clients in by their own tokens, until those are taken back', async () => {
    const { url } = await serve(stage);
    const added = await stage.run('serve', 'token', 'add', 'ci', '--scope', 'read');
    const token = added.stdout.trim();
    assert.match(token, /^cop_[\w-]{43}$/);
    const status = async (path: string, init: RequestInit = {}): Promise<number> =>
      (await fetch(`${url}${path}`, { ...bearer(token), ...init })).status;
    assert.equal(await status('/metrics'), 200);
    const headers = { ...bearer(token).headers, 'Content-Type': 'application/json' };
    assert.equal(await status('/submit', { method: 'POST', headers, body: '{"task":"x"}' }), 403);
    const list = await stage.run('serve', 'token', 'list', '--json');
    const names = (JSON.parse(list.stdout) as { tokens: { name: string; scope: string }[] }).tokens;
    assert.deepEqual(
      names.map((one) => [one.name, one.scope]),
      [
        ['default', 'run'],
        ['ci', 'read'],
      ],
    );
    assert.ok(!list.stdout.includes(token));
    assert.equal((await stage.run('serve', 'token', 'remove', 'ci')).status, 0);
    assert.equal(await status('/metrics'), 401);
    assert.equal((await stage.run('serve', 'token', 'add', 'x')).status, 2);
  });

  it('listens no longer than it lives, and lets the engine live on', async () => {
    const { url, running } = await serve(stage);
    const pid = stage.enginePid() ?? 0;
    running.child.kill('SIGINT');
    assert.equal((await running.ended).status, 0);
    await assert.rejects(fetch(`${url}/health`));
    assert.ok(isAlive(pid));
  });

  it('starts a killed engine again at the same port, and ends with one that was stopped', async () => {
    const { url, running } = await serve(stage);
    const pid = stage.enginePid() ?? 0;
    process.kill(pid, 'SIGKILL');
    await running.says('started again');
    const up = () =>
      fetch(`${url}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until('it serves again', up, 15_000);
    assert.notEqual(stage.enginePid(), pid);
    assert.equal((await stage.run('stop')).status, 0);
    assert.equal((await running.ended).status, 0);
  });

  it('says what is wrong with how it was called', async () => {
    const { url } = await serve(stage);
    const taken = await stage.run('serve', '--port', new URL(url).port);
    assert.deepEqual([taken.status, /is taken/.test(taken.stderr)], [2, true]);
    for (const [args, words] of [
      [['--port', 'x'], /--port wants a whole number/],
      [['--scope', 'all'], /There is no scope "all"/],
      [['--allow-origin', 'x'], /--allow-origin wants an origin/],
      [['token', 'ad'], /coppice serve knows/],
    ] as const) {
      const refused = await stage.run('serve', ...args);
      assert.equal(refused.status, 2, args.join(' '));
      assert.match(refused.stderr, words);
    }
  });

  it('passes what the referee can judge without a fixture', async () => {
    const { mcp, tokenFile } = await serve(stage);
    const token = tokenIn(tokenFile);
    const proxy = await startTokenProxy(new URL(mcp), token);
    try {
      const client = await newClient(mcp, token);
      const { resourceTemplates } = await client.listResourceTemplates();
      await client.close();
      const withSkills = resourceTemplates.some(({ uriTemplate }) => uriTemplate.startsWith('skill://'));
      const scenarios = ['server-initialize', 'ping', 'tools-list', 'resources-list', 'prompts-list'];
      scenarios.push('dns-rebinding-protection', 'http-header-validation');
      if (withSkills)
        scenarios.push('sep-2640-skills-enumeration', 'sep-2640-skills-manifest', 'sep-2640-skills-directory');
      for (const scenario of scenarios) {
        const verdict = await judge('next', `${proxy.url}/mcp`, '--scenario', scenario);
        const failures = verdict.checks.filter(
          // A skill without a folder in it is no fault.
          ({ id, status, error }) =>
            status === 'FAILURE' &&
            !(id === 'sep-2640-directory-read-subdir-mimetype' && error.startsWith('Not testable')),
        );
        assert.deepEqual(failures, [], scenario);
        assert.ok(
          verdict.checks.some(({ status }) => status === 'SUCCESS'),
          `${scenario}: ${verdict.output.slice(-2000)}`,
        );
      }
    } finally {
      await proxy.close();
    }
  });
});

describe('coppice mcp --print-config', function () {
  this.timeout(60_000);
  let stage: Stage;

  before(() => {
    stage = openStage();
  });
  after(() => stage.close());

  interface Entry {
    readonly command: string;
    readonly args: string[];
  }
  /** Enough of TOML for what is printed. */
  const fromToml = (text: string): Entry => {
    const [head, ...lines] = text.trim().split('\n');
    assert.equal(head, '[mcp_servers.coppice]');
    const pairs = lines.map((line) => /^(\w+) = (.+)$/.exec(line));
    return Object.fromEntries(pairs.map((pair) => [pair?.[1], JSON.parse(pair?.[2] ?? '')])) as Entry;
  };
  const entryOf = (client: string, text: string): Entry => {
    if (client === 'codex') return fromToml(text);
    const key = client === 'vscode' ? 'servers' : client === 'zed' ? 'context_servers' : 'mcpServers';
    const all = JSON.parse(text) as Record<string, Record<string, Entry & { type?: string }>>;
    assert.deepEqual([Object.keys(all), Object.keys(all[key] ?? {})], [[key], ['coppice']]);
    const entry = all[key]?.['coppice'];
    if (['vscode', 'claude-code', 'cursor'].includes(client)) assert.equal(entry?.type, 'stdio');
    assert.ok(entry);
    return entry;
  };

  for (const client of CLIENTS)
    it(`prints what ${client} wants, and what it starts answers`, async () => {
      const printed = await stage.run('mcp', '--print-config', client);
      assert.equal(printed.status, 0, printed.stderr);
      assert.match(printed.stderr, /^Add this to /);
      const { command, args } = entryOf(client, printed.stdout);
      const mcp = new Client({ name: client, version: '1' }, { versionNegotiation: { mode: 'legacy' } });
      // Another folder, another environment: as the client would start it.
      await mcp.connect(
        new StdioClientTransport({ command, args, cwd: '/', env: stage.environment, stderr: 'ignore' }),
      );
      assert.equal(mcp.getServerVersion()?.name, 'coppice');
      await mcp.close();
    });

  it('knows which clients there are', async () => {
    const refused = await stage.run('mcp', '--print-config', 'emacs');
    assert.deepEqual([refused.status, /Known: vscode, claude-code/.test(refused.stderr)], [2, true]);
  });
});
