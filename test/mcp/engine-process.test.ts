import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { bundle, isAlive, killAndWait, openStage, type Stage, until } from '../support/coppice-process.ts';

const TASK = 'Map this repository: write docs/map';

interface Run {
  readonly run: string;
  readonly state: string;
  readonly endedAt: number | null;
}

describe('the engine of a repository', function () {
  this.timeout(60_000);
  let stage: Stage;
  const clients: Client[] = [];

  const connect = async (
    script = stage.script,
  ): Promise<{ client: Client; call<T>(name: string, input?: object): Promise<T> }> => {
    const client = new Client({ name: 'test', version: '1' });
    clients.push(client);
    const args = [script, 'mcp', '--repo', stage.repo.root];
    await client.connect(
      new StdioClientTransport({ command: process.execPath, args, env: stage.environment, stderr: 'pipe' }),
    );
    return {
      client,
      call: async <T>(name: string, input: object = {}) => {
        const result = await client.callTool({ name, arguments: { ...input } });
        assert.notEqual(result.isError, true, `${name}: ${JSON.stringify(result.content)} ${stage.log()}`);
        return result.structuredContent as T;
      },
    };
  };
  const startSlowRun = (call: <T>(name: string, input?: object) => Promise<T>): Promise<Run> =>
    call<Run>('run_start', { task: TASK, options: { server: 'rehearsal', unattended: true } });
  const pid = (): number => {
    const found = stage.enginePid();
    assert.ok(found);
    return found;
  };

  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close().catch(() => {});
    await stage.close();
  });

  it('is one for all clients, and what one does the other sees', async () => {
    stage = openStage();
    const [first, second] = await Promise.all([connect(), connect()]);
    const started = await startSlowRun(first.call);
    const seen = await second.call<Run>('run_wait', { run: started.run });
    assert.equal(seen.state, 'completed');
    const serving = stage.log().match(/listens, pid \d+/g);
    assert.equal(serving?.length, 1, stage.log());
  });

  it('is one also when five clients want to start it at the same moment', async () => {
    stage = openStage();
    await Promise.all(Array.from({ length: 5 }, () => connect()));
    assert.equal(stage.log().match(/listens, pid/g)?.length, 1, stage.log());
    assert.ok(isAlive(pid()));
  });

  it('refuses a second engine at once, in words', async () => {
    stage = openStage();
    await connect();
    const before = Date.now();
    const second = await stage.run('engine');
    assert.equal(second.status, 2);
    assert.match(second.stderr, /Another engine works on .*"coppice stop" ends it/);
    assert.ok(Date.now() - before < 5000);
    assert.ok(isAlive(pid()));
  });

  it('may be killed at any moment: the pipe ends with a word, and the next one goes on', async () => {
    stage = openStage({ environment: { COPPICE_REHEARSAL_LATENCY_MS: '150' } });
    const pipe = stage.start('mcp');
    const { client, call } = await connect();
    const { run } = await startSlowRun(call);
    await until(
      'agents work',
      async () => (await call<{ agents: unknown[] }>('agent_list', { run })).agents.length > 2,
    );
    await pipe.says(/$/);
    const killed = pid();
    await killAndWait(killed);
    const ended = await pipe.ended;
    assert.equal(ended.status, 1);
    assert.match(ended.stderr, /The engine has ended\. Connect again/);
    await client.close();
    const next = await connect();
    assert.notEqual(pid(), killed);
    let view = await next.call<Run>('run_wait', { run });
    while (view.endedAt === null) view = await next.call<Run>('run_wait', { run });
    assert.equal(view.state, 'completed');
    const budget = await next.call<{ granted: number; sum: number }>('budget_status', { run });
    assert.equal(budget.sum, budget.granted);
  });

  it('stops gracefully in the middle of a run, and the next one finishes it', async () => {
    stage = openStage({ environment: { COPPICE_REHEARSAL_LATENCY_MS: '150' } });
    const { client, call } = await connect();
    const { run } = await startSlowRun(call);
    await until(
      'agents work',
      async () => (await call<{ agents: unknown[] }>('agent_list', { run })).agents.length > 2,
    );
    const stopped = pid();
    const answer = await stage.run('stop');
    assert.equal(answer.status, 0);
    assert.match(answer.stdout, /Stopped/);
    await until('the process ends', () => !isAlive(stopped));
    assert.match(stage.log(), /engine has stopped\n$/);
    assert.equal(stage.enginePid(), null);
    await client.close();
    assert.match((await stage.run('stop')).stdout, /No engine runs/);
    const next = await connect();
    let view = await next.call<Run>('run_wait', { run });
    while (view.endedAt === null) view = await next.call<Run>('run_wait', { run });
    assert.equal(view.state, 'completed');
  });

  it('makes room for the next one when its folder was deleted', async () => {
    stage = openStage();
    assert.equal((await stage.run('run', TASK, '--server', 'rehearsal', '--yes')).status, 0);
    const old = pid();
    rmSync(join(stage.repo.root, '.coppice'), { recursive: true });
    const again = await stage.run('run', TASK, '--server', 'rehearsal', '--yes', '--json');
    assert.equal(again.status, 0, again.stderr);
    await until('the old one leaves', () => !isAlive(old));
    assert.notEqual(pid(), old);
    assert.match((await stage.run('stop')).stdout, /Stopped/);
    const last = await stage.run('status');
    assert.equal(last.stdout.match(/completed/g)?.length, 1, last.stdout);
  });

  it('ends at SIGTERM as gracefully', async () => {
    stage = openStage();
    const engine = stage.start('engine');
    await engine.says('listens');
    engine.child.kill('SIGTERM');
    assert.equal((await engine.ended).status, 0);
    assert.match(stage.log(), /engine stops: SIGTERM[^]*engine has stopped/);
  });

  it('leaves by itself when nobody needs it, and not before', async () => {
    stage = openStage({ environment: { COPPICE_IDLE_SECONDS: '1' } });
    const { client } = await connect();
    const engine = pid();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.ok(isAlive(engine), 'a client is connected');
    await client.close();
    await until('the engine leaves', () => !isAlive(engine));
    assert.match(stage.log(), /nobody needs it/);
  });

  it('answers what a script asked before it ended its input', async () => {
    stage = openStage();
    const pipe = stage.start('mcp');
    const initialize = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'script', version: '1' },
    };
    pipe.child.stdin?.end(
      `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: initialize })}\n` +
        `${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n` +
        `${JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'run_list', arguments: {} } })}\n`,
    );
    const { status, stdout, stderr } = await pipe.ended;
    assert.equal(status, 0, stderr);
    const ids = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id?: number }).id);
    // Between the answers there may be news, which have no number.
    assert.deepEqual(
      ids.filter((id) => id !== undefined),
      [1, 2],
    );
  });

  it('tells through the pipe why it cannot start, and leaves the folder as it was', async () => {
    stage = openStage();
    const empty = mkdtempSync(join(tmpdir(), 'coppice-empty-'));
    stage.repo.git('init', '-q', empty);
    const { status, stdout, stderr } = await stage.run('mcp', '--repo', empty);
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /commit/);
    stage.repo.git('-C', empty, 'status', '--porcelain');
    assert.equal(stage.repo.git('-C', empty, 'status', '--porcelain'), '');
    rmSync(empty, { recursive: true });
  });

  it('of another version is replaced when it is idle, and warned about when it is not', async () => {
    stage = openStage();
    const other = mkdtempSync(join(tmpdir(), 'coppice-other-'));
    mkdirSync(join(other, 'dist'));
    cpSync(dirname(bundle()), join(other, 'dist'), { recursive: true });
    writeFileSync(join(other, 'package.json'), '{"version":"99.0.0"}');
    symlinkSync(join(dirname(bundle()), '..', 'node_modules'), join(other, 'node_modules'));
    const script = join(other, 'dist', 'coppice.js');
    try {
      const { client } = await connect();
      const old = pid();
      const pipe = pipeOf(script);
      assert.match(pipe.stderr, /An engine of version 0\.\d+\.\d+ works on this repository; this is version 99\.0\.0/);
      assert.equal(pid(), old);
      await client.close();
      await until('the connection is gone', async () => isAlive(old));
      await new Promise((resolve) => setTimeout(resolve, 200));
      await connect(script);
      assert.notEqual(pid(), old);
      assert.equal(isAlive(old), false);
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  const pipeOf = (script: string) =>
    spawnSync(process.execPath, [script, 'mcp', '--repo', stage.repo.root], {
      env: stage.environment,
      input: '',
      encoding: 'utf8',
    });
});
