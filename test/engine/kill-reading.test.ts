import assert from 'node:assert/strict';
import type { CrashPoint } from '../../mcp-server/compose.ts';
import { runEngine } from '../support/engine-program.ts';
import { killSweep } from '../support/kill-sweep.ts';
import { makeRepository } from '../support/repository.ts';
import {
  call,
  finish,
  type ParsedRequest,
  type Rehearsal,
  type ScriptedAnswer,
  startRehearsal,
} from '../support/scripted-server.ts';
import { BIG_TASK, isPlanner, planOf } from '../support/team.ts';

describe('an engine that is killed in a run that only reads', () => {
  let model: Rehearsal;
  before(async function () {
    this.timeout(60_000);
    const read = (request: ParsedRequest): ScriptedAnswer =>
      request.lastTool ? finish('Done.') : call('list_files', {});
    model = await startRehearsal({ slots: 4, answer: (request) => (isPlanner(request) ? planOf(3) : read(request)) });
  });
  after(() => model.close());

  it('goes on where it was and ends the run once, killed at many a store step', async function () {
    this.timeout(600_000);
    const once = async (crash: CrashPoint): Promise<boolean> => {
      const repo = makeRepository();
      try {
        const start = (point: CrashPoint | null) =>
          runEngine({ root: repo.root, server: model.url, task: BIG_TASK, crash: point });
        const first = await start(crash);
        const verdict = first ?? (await start(null));
        assert.ok(verdict, `${crash.at}`);
        const context = JSON.stringify({ at: crash.at, verdict }, null, 1);
        assert.equal(verdict.state, 'answered', context);
        assert.deepEqual(verdict.faults, [], context);
        return first === null;
      } finally {
        repo.remove();
      }
    };
    await killSweep({ where: 'store', from: 3, stride: 5, least: 5, once });
  });
});
