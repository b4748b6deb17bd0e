import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { openClient } from '../../../mcp-server/faces/cli/engine-client.ts';
import { type McpFace, openMcpFace } from '../../../mcp-server/faces/mcp/face.ts';
import { operations } from '../../../mcp-server/operations/table.ts';
import { createFakeEngine, type FakeEngine } from '../../support/fake-engine.ts';

describe('the MCP server', () => {
  let folder: string;
  let server: Server;
  let engine: FakeEngine;
  let face: McpFace;
  const logged: string[] = [];
  const sockets: Socket[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coppice-mcp-'));
    engine = createFakeEngine();
    logged.length = 0;
    face = openMcpFace({ engine, version: '1.2.3', log: (line) => logged.push(line) });
    server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      face.serve(socket, async () => null);
    });
    await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
  });
  afterEach(async () => {
    face.close();
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  const dial = (): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect({ path: join(folder, 's'), allowHalfOpen: true }, () => resolve(socket));
      sockets.push(socket);
    });
  /** The stdio transport reads and writes lines, whichever side it is on. */
  const attach = async (mode: 'legacy' | { pin: string } = 'legacy'): Promise<Client> => {
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
    const socket = await dial();
    await client.connect(new StdioServerTransport(socket, socket));
    return client;
  };

  for (const mode of ['legacy', { pin: '2026-07-28' }] as const) {
    it(`offers every operation with schemas and honest annotations (${JSON.stringify(mode)})`, async () => {
      const client = await attach(mode);
      const { tools } = await client.listTools();
      assert.deepEqual(
        tools.map((tool) => tool.name),
        operations.map((operation) => operation.name),
      );
      for (const tool of tools) {
        assert.ok(tool.title && tool.description, tool.name);
        assert.equal(tool.inputSchema.type, 'object');
        assert.ok(tool.outputSchema, tool.name);
      }
      const annotationsOf = (name: string) => tools.find((tool) => tool.name === name)?.annotations;
      assert.partialDeepStrictEqual(annotationsOf('run_status'), {
        readOnlyHint: true,
        destructiveHint: false,
        idempotentHint: true,
        openWorldHint: false,
      });
      assert.partialDeepStrictEqual(annotationsOf('run_start'), {
        readOnlyHint: false,
        destructiveHint: false,
        idempotentHint: false,
      });
      assert.partialDeepStrictEqual(annotationsOf('review_discard'), { readOnlyHint: false, destructiveHint: true });
      await client.close();
    });

    it(`answers with structured content and the same as text (${JSON.stringify(mode)})`, async () => {
      const client = await attach(mode);
      const result = await client.callTool({ name: 'run_start', arguments: { task: 'Do it' } });
      assert.equal(result.isError ?? false, false);
      const run = result.structuredContent as { run: string; task: string };
      assert.equal(run.task, 'Do it');
      assert.deepEqual(JSON.parse((result.content[0] as { text: string }).text), run);
      await client.close();
    });
  }

  it('gives what the person can put right as an error result with its code', async () => {
    const client = await attach();
    const result = await client.callTool({ name: 'run_status', arguments: { run: 'r-none' } });
    assert.equal(result.isError, true);
    assert.equal((result.content[0] as { text: string }).text, 'There is no run r-none. (not-found)');
    assert.deepEqual(result._meta?.['coppice/error'], { code: 'not-found', message: 'There is no run r-none.' });
    assert.equal(result.structuredContent, undefined, 'older clients check it against the schema');
  });

  it('logs a bug and tells the client nothing of it', async () => {
    const client = await attach();
    engine.fail('startRun', new TypeError('secret detail'));
    const result = await client.callTool({ name: 'run_start', arguments: { task: 'x' } });
    assert.equal(result.isError, true);
    assert.doesNotMatch(JSON.stringify(result), /secret/);
    assert.match(logged.join('\n'), /run_start failed: TypeError: secret detail/);
  });

  it('refuses input that the schema does not allow', async () => {
    const client = await attach();
    const result = await client.callTool({ name: 'run_start', arguments: { task: '' } });
    assert.equal(result.isError, true);
    assert.deepEqual(engine.calls, []);
  });

  it('refuses keys that it does not know by name, and says which there are', async () => {
    const client = await attach();
    const refused = async (name: string, input: Record<string, unknown>, words: RegExp): Promise<void> => {
      const result = await client.callTool({ name, arguments: input });
      assert.equal(result.isError, true);
      assert.match((result.content[0] as { text: string }).text, words);
    };
    const known = /There is no "bugdet" here\. Known: budget, maxDepth, maxAgents, /;
    await refused('run_start', { task: 'Do it', options: { bugdet: 1000 } }, known);
    await refused('setup_check', { options: { bugdet: 1000 } }, known);
    await refused('run_start', { tsak: 'x', task: 'Do it' }, /There is no "tsak" here\. Known: task, .*options, key\./);
    await refused('queue_status', { run: 'r-1' }, /There is no "run" here\. Nothing can be given\./);
    assert.deepEqual(engine.calls, []);
    const { tools } = await client.listTools();
    for (const { name, inputSchema } of tools)
      assert.equal((inputSchema as Record<string, unknown>)['additionalProperties'], false, name);
    const start = tools.find(({ name }) => name === 'run_start')?.inputSchema as unknown as {
      properties: { options: { additionalProperties: unknown; properties: Record<string, Record<string, unknown>> } };
    };
    assert.equal(start.properties.options.additionalProperties, false);
    assert.equal(start.properties.options.properties['permissions']?.['additionalProperties'], false);
  });

  it('reports progress while a client waits, when it asked for it', async () => {
    const client = await attach();
    const { run } = engine.addRun();
    const seen: { progress: number; total?: number | undefined; message?: string | undefined }[] = [];
    const waiting = client.callTool(
      { name: 'run_wait', arguments: { run, seconds: 20 } },
      { onprogress: (progress) => seen.push(progress) },
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    engine.patchRun(run, { agents: { total: 3, completed: 3, failed: 0, active: 0 } });
    await new Promise((resolve) => setTimeout(resolve, 1100));
    engine.patchRun(run, { state: 'completed', endedAt: 2000 });
    const result = await waiting;
    assert.equal((result.structuredContent as { state: string }).state, 'completed');
    assert.deepEqual(
      seen.map(({ progress }) => progress),
      [1.1, 3.1],
    );
    assert.match(seen[0]?.message ?? '', /running: 1 of 3 agents ended/);
  });

  it('stops waiting when the client cancels, and goes on serving', async () => {
    const client = await attach();
    const { run } = engine.addRun();
    const cancel = new AbortController();
    const waiting = client.callTool({ name: 'run_wait', arguments: { run, seconds: 45 } }, { signal: cancel.signal });
    await new Promise((resolve) => setTimeout(resolve, 50));
    cancel.abort();
    await assert.rejects(waiting);
    const list = await client.callTool({ name: 'run_list', arguments: {} });
    assert.equal((list.structuredContent as { runs: unknown[] }).runs.length, 1);
  });

  it('serves several clients at once', async () => {
    const clients = await Promise.all([attach(), attach({ pin: '2026-07-28' }), attach()]);
    engine.addRun();
    const results = await Promise.all(clients.map((client) => client.callTool({ name: 'run_list', arguments: {} })));
    for (const result of results) assert.equal((result.structuredContent as { runs: unknown[] }).runs.length, 1);
  });

  it('is what the command line speaks to, errors included', async () => {
    const client = await openClient(await dial(), '1.2.3');
    const run = await client.call<{ run: string }>('run_start', { task: 'Do it' });
    assert.equal(run.run, 'r-1');
    await assert.rejects(
      client.call('run_status', { run: 'r-none' }),
      (error) => error instanceof UserError && error.code === 'not-found',
    );
    const waiting = client.call('run_wait', { run: 'r-1' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const socket of sockets) socket.destroy();
    await assert.rejects(waiting, (error) => error instanceof UserError && error.code === 'engine-gone');
    await client.close();
  });
});
