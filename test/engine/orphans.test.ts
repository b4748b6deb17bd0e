import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Order } from '../support/engine-process.ts';
import { engineProgram, verdictIn } from '../support/engine-program.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';
import { call, finish, type Rehearsal, startRehearsal } from '../support/scripted-server.ts';

/** Says at once that it runs, and writes once more after two seconds. */
const SLOW = `
  const { appendFileSync } = require('node:fs');
  appendFileSync('log.txt', 'begun\\n');
  appendFileSync('../../pids.txt', process.pid + '\\n');
  setTimeout(() => appendFileSync('log.txt', 'late\\n'), 2000);
`;

describe('a command whose engine is killed', () => {
  let repo: TestRepository;
  let model: Rehearsal;
  let program: string;

  before(async function () {
    this.timeout(60_000);
    program = await engineProgram();
    repo = makeRepository();
    model = await startRehearsal({
      slots: 1,
      answer: (request) =>
        request.lastTool ? finish('It ran.') : call('run_command', { argv: [process.execPath, '-e', SLOW] }),
    });
  });
  after(async () => {
    await model.close();
    repo.remove();
  });

  const start = () => {
    const order: Order = { root: repo.root, server: model.url, task: 'Run it', crash: null, commands: true };
    return spawn(process.execPath, [program, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'inherit'] });
  };
  const pids = (): readonly string[] => {
    const file = join(repo.root, '.coppice/pids.txt');
    // A line that is being written is none yet.
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  };

  it('is ended before the next engine runs it again, and writes nothing any more', async function () {
    this.timeout(60_000);
    const killed = start();
    for (let tries = 0; pids().length < 1 && tries < 1000; tries += 1) await sleep(10);
    assert.deepEqual(readdirSync(join(repo.root, '.coppice/commands')), pids(), 'it is noted while it runs');
    killed.kill('SIGKILL');
    await once(killed, 'close');
    const next = start();
    const [output] = await Promise.all([text(next.stdout), once(next, 'close')]);
    const verdict = verdictIn(output);
    assert.equal(verdict.state, 'completed', JSON.stringify(verdict, null, 1));
    assert.equal(repo.git('show', `${verdict.branch}:log.txt`), 'begun\nlate');
    assert.equal(new Set(pids()).size, 2, 'it was run a second time');
    assert.deepEqual(readdirSync(join(repo.root, '.coppice/commands')), []);
  });
});
