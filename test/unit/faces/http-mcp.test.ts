import assert from 'node:assert/strict';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { httpGround, pause, until } from './http-ground.ts';

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
};

describe('HTTP on loopback', () => {
  const ground = httpGround();
  const { start, send, as, post, modern, old } = ground;

  describe('serves MCP to', () => {
    for (const [name, connectAs] of [
      ['the 2.x client in the newer era', modern],
      ['the 1.x client', old],
    ] as const)
      it(name, async () => {
        await start();
        const client = await connectAs('run');
        const started = await client.callTool({ name: 'run_start', arguments: { task: 'Do it' } });
        assert.equal((started.structuredContent as { run: string }).run, 'r-1');
        const messages: (string | undefined)[] = [];
        const progress = { onprogress: (one: { message?: string | undefined }) => void messages.push(one.message) };
        const input = { name: 'run_wait', arguments: { run: 'r-1', seconds: 20 } };
        const waiting =
          client instanceof OldClient ? client.callTool(input, undefined, progress) : client.callTool(input, progress);
        await until('progress is told', () => messages.length > 0);
        ground.engine.patchRun('r-1', { state: 'completed', endedAt: 5 });
        assert.equal(((await waiting).structuredContent as { state: string }).state, 'completed');
        const { contents } = await client.readResource({ uri: 'run://r-1' });
        assert.match((contents[0] as { text: string }).text, /completed/);
      });

    it('clients of both eras the changes that they follow', async () => {
      await start();
      ground.engine.addRun();
      const older: string[] = [];
      const newer: string[] = [];
      const one = await old('read');
      one.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void older.push(params.uri));
      await one.subscribeResource({ uri: 'run://r-1' });
      const two = await modern('read');
      two.setNotificationHandler('notifications/resources/updated', async ({ params }) => void newer.push(params.uri));
      two.setNotificationHandler('notifications/resources/list_changed', async () => void newer.push('list'));
      await two.listen({ resourceSubscriptions: ['run://r-1'], resourcesListChanged: true });
      await pause(200);
      ground.engine.emit({ type: 'agent.acted', run: 'r-1', agent: 'a-1' });
      ground.engine.emit({ type: 'agent.acted', run: 'r-2', agent: 'a-2' });
      ground.skills.put('new-one');
      await until('both are told', () => older.length > 0 && newer.includes('run://r-1') && newer.includes('list'));
      assert.deepEqual([...new Set(older)], ['run://r-1']);
    });

    it('nobody the answers of another client', async () => {
      await start();
      ground.engine.addRun();
      ground.engine.addRun();
      const clients = await Promise.all([old('read'), old('run'), modern('read'), modern('run')]);
      const answers = await Promise.all(
        clients.flatMap((client, at) =>
          Array.from({ length: 10 }, () =>
            client
              .readResource({ uri: `run://r-${(at % 2) + 1}` })
              .then(({ contents }) => [at, (contents[0] as { text: string }).text] as const),
          ),
        ),
      );
      for (const [at, text] of answers) assert.match(text, new RegExp(`"run":"r-${(at % 2) + 1}"`));
      const opened = await post('/mcp', 'read', INITIALIZE);
      const session = String(opened.headers['mcp-session-id']);
      const list = { jsonrpc: '2.0', id: 2, method: 'tools/list', params: {} };
      assert.equal((await post('/mcp', 'land', list, { 'Mcp-Session-Id': session })).status, 404, 'another token');
      assert.equal((await post('/mcp', 'read', list, { 'Mcp-Session-Id': session })).status, 200);
      assert.equal((await send('/mcp', { headers: { 'Mcp-Session-Id': session } })).status, 401, 'no session lets in');
      assert.equal((await post('/mcp', 'read', list)).status, 400);
      const del = { method: 'DELETE', headers: as('read', { 'Mcp-Session-Id': session }) };
      assert.equal((await send('/mcp', del)).status, 200);
      assert.equal((await post('/mcp', 'read', list, { 'Mcp-Session-Id': session })).status, 404);
    });

    it('a client that goes away no longer than it stays: its call is cancelled', async () => {
      await start();
      ground.engine.addRun();
      const client = await modern('read');
      const cancel = new AbortController();
      let ended = false;
      const { waitRun } = ground.engine;
      ground.engine.waitRun = (id, ms, signal) => {
        signal.addEventListener('abort', () => (ended = true), { once: true });
        return waitRun(id, ms, signal);
      };
      const waiting = client.callTool(
        { name: 'run_wait', arguments: { run: 'r-1', seconds: 40 } },
        { signal: cancel.signal },
      );
      await until('it waits', () => ground.engine.calls.includes('waitRun'));
      cancel.abort();
      await assert.rejects(waiting);
      await until('the waiting ends', () => ended);
    });
  });
});
