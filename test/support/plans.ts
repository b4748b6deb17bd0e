import { newId, type RunId } from '../../mcp-server/domain/ids.ts';
import type { Plan, PlanStep } from '../../mcp-server/domain/plan.ts';
import type { Run, RunOptions } from '../../mcp-server/domain/run.ts';
import type { RunView } from '../../mcp-server/engine/facade.ts';
import { acceptPlan } from '../../mcp-server/engine/spawn.ts';
import type { NewRun } from '../../mcp-server/store/port.ts';
import { type Bench, seededRandom } from './engine.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer } from './scripted-server.ts';

/** A step whose task is `do <key>`. */
export const step = (key: string, more: Partial<PlanStep> = {}): PlanStep => ({
  key,
  title: key,
  task: `do ${key}`,
  role: 'worker',
  tier: 'worker',
  needs: [],
  toleratesFailure: false,
  parent: null,
  weight: 1,
  temperature: 0.2,
  ...more,
});

/** The key of the step whose agent asks. */
export const keyOf = (request: ParsedRequest): string => /^Your task:\ndo ([\w-]+)/.exec(request.firstUser)?.[1] ?? '';

/** Writes `out/<key>.txt`, then finishes. */
export const writeOwn = (request: ParsedRequest): ScriptedAnswer => {
  const key = keyOf(request);
  return request.lastTool
    ? finish(`${key} is done.`)
    : call('write_file', { path: `out/${key}.txt`, content: `${key}\n` });
};

const random = seededRandom(77);

/** Starts a run with this very plan; nobody plans. */
export const startPlan = async (
  bench: Bench,
  steps: readonly PlanStep[],
  more: Partial<RunOptions> = {},
  pattern: Plan['pattern'] = 'workflow',
): Promise<RunId> => {
  const facts = await bench.repository.facts();
  const clock = bench.clock;
  const row: NewRun = {
    id: newId('run', { random, clock }),
    key: null,
    task: 'The whole',
    options: { ...bench.settings, ...more },
    baseBranch: facts.branch,
    baseCommit: facts.head,
    branch: `coppice/plan-${newId('run', { random, clock })}`,
    createdAt: clock.now(),
  };
  const run: Run = {
    ...row,
    state: 'running',
    headCommit: row.baseCommit,
    cancelRequested: 'no',
    report: null,
    error: null,
    review: 'none',
    endedAt: null,
  };
  const plan: Plan = { pattern, source: { by: 'person' }, steps };
  await bench.store.transaction(async (tx) => {
    await tx.insertRun(row);
    await tx.moveRun(row.id, 'running');
    await tx.emit(clock.now(), [
      { type: 'run.created', run: row.id, agent: null, task: row.task, branch: row.branch, budget: run.options.budget },
    ]);
    await acceptPlan({ random, clock }, tx, run, plan);
  });
  await bench.engine.resumeRun(row.id);
  return row.id;
};

/** Runs the plan to its end. */
export const runPlan = async (...args: Parameters<typeof startPlan>): Promise<RunView> => {
  const [bench] = args;
  return bench.waitEnd(await startPlan(...args));
};

/** The state of each step by its key. */
export const stepStates = async (bench: Bench, run: RunId): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries((await bench.store.steps(run)).map(({ key, state }) => [key, state]));
