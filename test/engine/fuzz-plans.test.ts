import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import type { Condition, PlanStep } from '../../mcp-server/domain/plan.ts';
import { isSettled } from '../../mcp-server/domain/transitions.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { keyOf, startPlan, step } from '../support/plans.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer, say } from '../support/scripted-server.ts';
import { isLastTurn } from '../support/team.ts';

type Fate = 'writes' | 'looks' | 'blocked' | 'mute' | 'mute once' | 'slow';
const FATES: readonly Fate[] = ['writes', 'writes', 'looks', 'blocked', 'mute', 'mute once', 'slow'];

const shape = fc.record({
  fate: fc.constantFrom(...FATES),
  needs: fc.array(fc.nat(20), { maxLength: 3 }),
  parent: fc.option(fc.nat(20), { freq: 3 }),
  tolerates: fc.boolean(),
  edge: fc.option(fc.constantFrom('fail', 'continue', 'compensate'), { freq: 3 }),
  when: fc.option(fc.constantFrom('done', 'failed', 'omitted'), { freq: 4 }),
  join: fc.option(
    fc.record({ quorum: fc.option(fc.integer({ min: 1, max: 3 })), withinMs: fc.option(fc.constantFrom(100, 900)) }),
    {
      freq: 4,
    },
  ),
  retries: fc.nat(1),
  saga: fc.option(fc.constantFrom('x', 'y'), { freq: 4 }),
  compute: fc.nat(5).map((n) => n === 0),
});
/** What a person does meanwhile, and after how many ms. */
const disturbance = fc.option(
  fc.record({ what: fc.constantFrom('wrap-up', 'abort', 'restart'), afterMs: fc.nat(400) }),
  { freq: 2 },
);
type Disturbance = NonNullable<typeof disturbance extends fc.Arbitrary<infer T> ? T : never>;
type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

const planOf = (shapes: readonly Shape[]): readonly PlanStep[] =>
  shapes.map((s, n) => {
    const needs = n === 0 ? [] : [...new Set(s.needs.map((need) => `s-${need % n}`))];
    const [first] = needs;
    const when: Condition | null = s.when && first ? { step: first, is: s.when } : null;
    // A parent comes later in the plan, as whoever joins does, so there is no circle.
    const above = s.parent === null ? n : n + 1 + (s.parent % 3);
    const computes = s.compute && needs.length > 0;
    return step(`s-${n}`, {
      needs,
      parent: above > n && above < shapes.length && !computes && !shapes[above]?.compute ? `s-${above}` : null,
      toleratesFailure: s.tolerates,
      retries: s.retries,
      ...(s.edge && first ? { onFailure: { [first]: s.edge } } : {}),
      ...(when ? { when } : {}),
      ...(s.join && needs.length > 0 ? { join: s.join } : {}),
      ...(s.saga ? { saga: s.saga } : {}),
      ...(computes ? { work: { kind: 'compute', processor: 'concat', options: {} } as const } : {}),
    });
  });

describe('Any plan, whatever its steps come to,', () => {
  let bench: Bench;
  let fates: readonly Fate[] = [];
  const script = (request: ParsedRequest): ScriptedAnswer => {
    const key = keyOf(request);
    if (key === '') return finish('Resolved nothing.', 'nothing');
    const fate = fates[Number(key.slice(2))] ?? 'looks';
    if (isLastTurn(request)) return finish(`${key} stops.`);
    if (fate === 'blocked') return finish('It went wrong.', 'blocked');
    if (fate === 'mute' || (fate === 'mute once' && !JSON.stringify(request.messages).includes('(try 2)')))
      return say('');
    if (fate === 'looks' || request.lastTool) return finish(`${key} is done.`);
    const write = call('write_file', { path: `out/${key}.txt`, content: `${key}\n` });
    return fate === 'slow' ? { ...write, latencyMs: 300 } : write;
  };
  before(async () => {
    // Time goes by faster for the engine, so that pauses before another try are short.
    bench = await openBench({ script, server: { slots: 8 }, speed: 5, settings: { maxDepth: 12 } });
  });
  after(() => bench.close());

  const disturb = async (run: RunId, { what, afterMs }: Disturbance): Promise<void> => {
    await systemClock.sleep(afterMs);
    if (what === 'restart') await bench.restart();
    else await bench.engine.cancelRun({ run, mode: what });
  };

  const assertWhole = async (run: RunId, context: string): Promise<void> => {
    assert.deepEqual(await bench.invariants(run), [], context);
    for (const { key, state } of await bench.store.steps(run))
      assert.ok(isSettled(state), `${key} is ${state}; ${context}`);
    for (const { state } of await bench.store.undos(run)) assert.notEqual(state, 'running', context);
    const current = await bench.store.run(run);
    if (current && current.headCommit !== current.baseCommit)
      assert.equal(bench.repo.git('rev-parse', current.branch), current.headCommit, context);
  };

  it('ends, with every step accounted for', async function () {
    this.timeout(300_000);
    await fc.assert(
      fc.asyncProperty(fc.array(shape, { minLength: 1, maxLength: 9 }), disturbance, async (shapes, disturbed) => {
        fates = shapes.map(({ fate }) => fate);
        const steps = planOf(shapes);
        const context = JSON.stringify({ fates, disturbed, steps });
        const run = await startPlan(bench, steps).catch((error: unknown) =>
          assert.fail(`${String(error)}; ${context}`),
        );
        if (disturbed) await disturb(run, disturbed);
        await bench.waitEnd(run, 25_000).catch((error: unknown) => assert.fail(`${String(error)}; ${context}`));
        await assertWhole(run, context);
      }),
      {
        numRuns: Number(process.env['COPPICE_FUZZ_RUNS'] ?? 25),
        seed: Number(process.env['COPPICE_FUZZ_SEED'] ?? 5),
        endOnFailure: true,
      },
    );
  });
});
