import assert from 'node:assert/strict';
import { request } from 'node:http';
import { fakeAgent } from '../../support/fake-engine.ts';
import { httpGround, json, until } from './http-ground.ts';

describe('HTTP on loopback', () => {
  const ground = httpGround();
  const { start, send, as, post, logged } = ground;

  describe('answers beside MCP', () => {
    it('tasks, status and conversations', async () => {
      await start();
      const submitted = await post('/submit', 'run', { task: 'Do it', key: 'k' });
      assert.deepEqual([submitted.status, submitted.headers['location']], [202, '/status/r-1']);
      const again = await post('/submit', 'run', { task: 'Do it' }, { 'Idempotency-Key': 'k' });
      assert.equal(json(again)['run'], 'r-1');
      assert.equal(json(await send('/status/r-1', { headers: as('read') }))['task'], 'Do it');
      const none = await send('/status/r-9', { headers: as('read') });
      assert.deepEqual(
        [none.status, none.text],
        [404, '{"error":{"code":"not-found","message":"There is no run r-9."}}'],
      );
      ground.engine.addAgent(fakeAgent());
      assert.equal((await send('/chat/a-1', { headers: as('read') })).status, 200);
      assert.equal((await post('/chat/a-1', 'run', { text: 'Hello' })).status, 202);
      assert.ok(ground.engine.calls.includes('messageAgent a-1 Hello'));
      assert.equal((await post('/submit', 'run', { tsak: 'x' })).status, 400);
      assert.equal((await post('/submit', 'run', [1])).status, 400);
      ground.engine.fail('runStatus', new TypeError('secret detail'));
      const bug = await send('/status/r-1', { headers: as('read') });
      assert.equal(bug.status, 500);
      assert.doesNotMatch(bug.text, /secret/);
      assert.match(logged.join('\n'), /secret detail/);
    });

    it('events as a stream that goes on after the last one seen', async () => {
      await start();
      for (let at = 1; at <= 3; at++) ground.engine.emit({ type: 'agent.acted', action: `step ${at}` });
      let text = '';
      const req = request(
        { host: '127.0.0.1', port: ground.http.port, path: '/events', headers: as('read', { 'Last-Event-ID': '1' }) },
        (res) => void res.on('data', (chunk) => (text += String(chunk))),
      );
      req.on('error', () => {}).end();
      await until('what was missed arrives', () => text.includes('step 3'));
      ground.engine.emit({ type: 'run.ended', state: 'completed' });
      await until('what is new arrives', () => text.includes('event: run.ended'));
      assert.deepEqual(
        [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id),
        ['2', '3', '4'],
      );
      req.destroy();
      assert.equal((await send('/events?after=x', { headers: as('read') })).status, 400);
    });

    it('numbers for Prometheus', async () => {
      await start();
      ground.engine.addRun();
      await send('/status/r-1', { headers: as('read') });
      const { text, headers } = await send('/metrics', { headers: as('read') });
      assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
      assert.match(text, /^coppice_build_info\{version="1\.2\.3"\} 1$/m);
      assert.match(text, /^coppice_runs\{state="running"\} 1$/m);
      assert.match(text, /^coppice_tokens\{kind="used"\} 100$/m);
      assert.match(text, /^coppice_http_requests_total\{route="status",status="200"\} 1$/m);
      for (const line of text.trim().split('\n'))
        assert.match(line, /^(# (HELP|TYPE) coppice_\w+ .+|coppice_\w+(\{.*\})? [\d.]+)$/);
    });

    it('nothing of a token in any log', async () => {
      await start();
      await send(`/nothing?access_token=${ground.tokens.land}`, { headers: as('land') });
      ground.engine.fail('runStatus', new TypeError('x'));
      await send(`/status/r-1?token=${ground.tokens.land}`, { headers: as('land') });
      assert.ok(logged.length > 0);
      for (const token of Object.values(ground.tokens)) assert.ok(!logged.join('\n').includes(token));
    });
  });
});
