import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import type { CliContext } from '../../../mcp-server/faces/cli/context.ts';
import { openClient } from '../../../mcp-server/faces/cli/engine-client.ts';
import { runCommand } from '../../../mcp-server/faces/cli/run-command.ts';
import type { Terminal } from '../../../mcp-server/faces/cli/terminal.ts';
import { openMcpFace } from '../../../mcp-server/faces/mcp/face.ts';
import { createFakeEngine, type FakeEngine, fakeAgent } from '../../support/fake-engine.ts';

describe('coppice run, in a terminal', () => {
  let folder: string;
  let server: Server;
  let engine: FakeEngine;
  let stdin: PassThrough;
  let stdout: PassThrough & { isTTY?: boolean; columns?: number; rows?: number };
  let drawn: string;
  let warned: string[];
  let interrupt: () => void;
  let edited: (text: string) => string;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coppice-run-'));
    engine = createFakeEngine();
    server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      openMcpFace({ engine, version: '1', log: () => {} }).serve(socket, async () => null);
    });
    await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
    stdin = new PassThrough();
    stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 10 });
    drawn = '';
    warned = [];
    edited = (text) => text;
    stdout.on('data', (chunk) => {
      drawn += String(chunk);
    });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  const contextOf = (terminal: Partial<Terminal> = {}): CliContext => ({
    terminal: {
      stdin,
      stdout,
      live: true,
      canAsk: true,
      color: false,
      size: () => ({ columns: 80, rows: 10 }),
      print: (text) => void stdout.write(`${text}\n`),
      warn: (text) => void warned.push(text),
      onInterrupt: (listener) => {
        interrupt = listener;
        return () => {};
      },
      ...terminal,
    },
    clock: systemClock,
    version: '1',
    place: { root: '/r', commonDir: '/r/.git' },
    runtime: { folder, socket: join(folder, 's'), startLog: '' },
    settings: { budget: 5000, apiKey: 'secret', permissions: { commands: 'any' } },
    program: 'coppice',
    repoFlag: '',
    connect: async () => {
      const socket = await new Promise<Socket>((resolve) => {
        const dialled = connect({ path: join(folder, 's'), allowHalfOpen: true }, () => resolve(dialled));
      });
      return openClient(socket, '1');
    },
    connectIfRunning: async () => null,
    newKey: () => 'key',
    edit: async (text) => edited(text),
  });
  const shows = async (text: string): Promise<void> => {
    for (let tries = 0; !drawn.includes(text); tries++) {
      assert.ok(tries < 300, `never shown: ${text}\n${drawn}`);
      await systemClock.sleep(10);
    }
  };
  const end = (state: 'completed' | 'cancelled'): void => {
    engine.patchRun('r-1', { state, endedAt: 2000, filesChanged: 1 });
    engine.emit({ type: 'run.ended', run: 'r-1', state, commit: 'c', error: null });
  };
  const options = { task: 'Do it', json: false, detach: false, yes: false };

  it('draws the tree, and tells at the end what to do next', async () => {
    const running = runCommand(contextOf(), options);
    engine.addAgent(fakeAgent());
    await systemClock.sleep(100);
    engine.emit({ type: 'agent.created', run: 'r-1', agent: 'a-1' });
    await shows('▶ map docs  worker running  100/1.0k  read_file docs/a.md');
    end('completed');
    assert.equal(await running, 0);
    assert.match(drawn, /coppice review r-1 --land/);
  });

  it('passes a question to the person and the answer to the agent', async () => {
    const running = runCommand(contextOf(), options);
    await systemClock.sleep(100);
    engine.emit({ type: 'agent.asked', run: 'r-1', agent: 'a-7', question: 'Which port?' });
    await shows('Which port?\nYour answer');
    stdin.write('\n');
    stdin.write('8080\n');
    for (let tries = 0; !engine.calls.includes('messageAgent a-7 8080'); tries++) {
      assert.ok(tries < 300, engine.calls.join());
      await systemClock.sleep(10);
    }
    end('completed');
    assert.equal(await running, 0);
  });

  it('asks nobody who cannot answer', async () => {
    const running = runCommand(contextOf({ canAsk: false, live: false }), options);
    await systemClock.sleep(100);
    engine.emit({ type: 'agent.asked', run: 'r-1', agent: 'a-7', question: 'Which port?' });
    end('completed');
    assert.equal(await running, 0);
    assert.doesNotMatch(drawn, /Your answer/);
  });

  it('wraps up, aborts, and leaves with one Ctrl-C after the other', async () => {
    const running = runCommand(contextOf({ live: false }), options);
    await systemClock.sleep(100);
    interrupt();
    interrupt();
    await systemClock.sleep(50);
    assert.deepEqual(
      engine.calls.filter((call) => call.startsWith('cancel')),
      ['cancelRun wrap-up', 'cancelRun abort'],
    );
    interrupt();
    assert.equal(await running, 130);
    assert.match(warned.join('\n'), /Left\. The run may go on: coppice status r-1/);
  });

  it('says what a Ctrl-C does above the tree, where the next picture leaves it', async () => {
    const warn = (text: string): void => void stdout.write(`${text}\n`);
    const running = runCommand(contextOf({ warn }), options);
    await shows('waiting');
    interrupt();
    await shows('Ending the run');
    // The old picture is gone before the words, and the tree stands below them.
    // oxlint-disable-next-line no-control-regex -- control characters are what this is about
    assert.match(drawn, /\u001b\[G(?:\u001b\[\?2026l)?Ending the run[^\n]*\n[^]*r-1 /);
    end('cancelled');
    assert.equal(await running, 130);
  });

  it('says above the tree what an engine notices that comes while the run goes on', async () => {
    const warn = (text: string): void => void stdout.write(`${text}\n`);
    const running = runCommand(contextOf({ warn }), options);
    await systemClock.sleep(50);
    engine.emit({ type: 'engine.noticed', run: null, notice: 'Long ago.' });
    engine.emit({ type: 'agent.created', run: 'r-1', agent: 'a-1', name: 'one' });
    engine.emit({ type: 'engine.noticed', run: null, notice: 'The database was damaged.' });
    await shows('engine: The database was damaged.\n');
    end('completed');
    assert.equal(await running, 0);
    assert.doesNotMatch(drawn, /Long ago/);
  });

  it('finds the engine again when the connection is lost, and shows no event twice', async () => {
    const running = runCommand(contextOf({ live: false }), { ...options, json: true });
    await systemClock.sleep(100);
    engine.emit({ type: 'agent.created', run: 'r-1', agent: 'a-1', name: 'one' });
    await shows('"agent.created"');
    for (const socket of sockets.splice(0)) socket.destroy();
    await systemClock.sleep(150);
    end('completed');
    assert.equal(await running, 0);
    assert.equal(drawn.match(/"agent\.created"/g)?.length, 1);
    assert.equal(engine.calls.filter((call) => call === 'startRun').length, 1);
  });

  it('asks for a word on the plan where somebody is there, and nobody is waited for elsewhere', async () => {
    const gates: unknown[] = [];
    engine.startRun = async (input) => {
      gates.push(input.options.planning);
      const run = engine.addRun({ state: 'completed', endedAt: 2000 });
      engine.emit({ type: 'run.ended', run: run.run, state: 'completed', commit: 'c', error: null });
      return run;
    };
    const settings = { planning: { retries: 2, servers: [] } };
    await runCommand({ ...contextOf(), settings }, options);
    await runCommand({ ...contextOf(), settings: { planning: { gate: 'go' } } }, options);
    await runCommand(contextOf(), { ...options, yes: true });
    await runCommand({ ...contextOf({ canAsk: false }), settings: { planning: { gate: 'ask' } } }, options);
    assert.deepEqual(gates, [{ retries: 2, gate: 'ask' }, { gate: 'go' }, { gate: 'go' }, { gate: 'go' }]);
  });

  it('sends neither key nor permissions, and the budget that was set', async () => {
    let sent: unknown;
    engine.startRun = async (input) => {
      sent = input;
      return engine.addRun();
    };
    assert.equal(await runCommand(contextOf(), { ...options, detach: true }), 0);
    assert.deepEqual(sent, { task: 'Do it', options: { budget: 5000, unattended: false }, key: 'key' });
    await runCommand(contextOf(), { ...options, detach: true, yes: true });
    assert.partialDeepStrictEqual(sent, { options: { unattended: true } });
  });
});
