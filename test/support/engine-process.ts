import { join } from 'node:path';
import { type CrashPoint, composeEngine } from '../../mcp-server/compose.ts';
import { DEFAULTS } from '../../mcp-server/config.ts';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import { newId, type RunId } from '../../mcp-server/domain/ids.ts';
import type { PlanStep } from '../../mcp-server/domain/plan.ts';
import type { Engine } from '../../mcp-server/engine/facade.ts';
import { acceptPlan } from '../../mcp-server/engine/spawn.ts';
import { checkInvariants } from '../../mcp-server/store/invariants.ts';
import { openStore } from '../../mcp-server/store/open.ts';
import type { Reader } from '../../mcp-server/store/port.ts';
import { openRepository } from '../../mcp-server/worktrees/open.ts';

/**
 * An engine in a process of its own, for tests that kill it: starts the run if it is not there yet, waits for its end, and
 * prints one line of JSON. Its only argument is an order.
 */
export interface Order {
  readonly root: string;
  readonly server: string;
  readonly task: string;
  readonly crash: CrashPoint | null;
  /** The plan; absent: the task is planned. */
  readonly steps?: readonly PlanStep[];
  /** Agents may run programs. */
  readonly commands?: boolean;
  /** The run is paused as soon as it is there, and continued once nothing of it goes on. */
  readonly pause?: boolean;
}

export interface Verdict {
  readonly state: string;
  readonly branch: string;
  readonly commit: string;
  readonly error: string | null;
  readonly report: string | null;
  /** That were ever made. */
  readonly agents: number;
  /** What was wrong before the engine took up its work, and at the end. */
  readonly faults: readonly string[];
  readonly log: readonly string[];
}

const order = JSON.parse(process.argv[2] ?? '{}') as Order;
const log: string[] = [];

const config = {
  ...DEFAULTS,
  budget: 2_000_000,
  maxDepth: 4,
  maxAgents: 40,
  maxAgentsPerLevel: 30,
  concurrency: 64,
  server: order.server,
  model: null,
  permissions: { commands: order.commands ? ('any' as const) : ('off' as const) },
  unattended: true,
  apiKey: null,
};

/** Beyond the invariants of the store: what was charged is what the stored turns used. */
const charged = async (reader: Reader, run: RunId): Promise<string[]> => {
  let sum = 0;
  for (const agent of await reader.agents(run))
    for (const turn of await reader.turns(agent.id)) sum += turn.usage ? turn.usage.prompt + turn.usage.completion : 0;
  const used = (await reader.accounts(run)).reduce((n, account) => n + account.used, 0);
  return used === sum ? [] : [`${used} tokens were charged and the turns used ${sum}.`];
};

const faultsOf = async (reader: Reader): Promise<string[]> => {
  const faults: string[] = [];
  for (const run of await reader.runs(10)) {
    faults.push(...(await checkInvariants(reader, run.id)), ...(await charged(reader, run.id)));
    const ends = (await reader.eventsOf(run.id, ['run.ended'])).length;
    if (ends !== (run.endedAt === null ? 0 : 1)) faults.push(`${run.id} has ended ${ends} times.`);
  }
  return faults;
};

const inspect = async (): Promise<string[]> => {
  const stateDir = join(order.root, '.coppice');
  const options = {
    path: join(stateDir, 'state.db'),
    backupDir: join(stateDir, 'backups'),
    clock: systemClock,
    version: 'test',
  };
  const { store, notice } = await openStore(options);
  const faults = await faultsOf(store);
  await store.close();
  return notice ? [notice, ...faults] : faults;
};

const compose = () =>
  composeEngine({
    root: order.root,
    config,
    version: 'test',
    clock: systemClock,
    random: Math.random,
    environment: process.env,
    commandEnvironment: {},
    crashPoint: order.crash,
    rehearsalLatencyMs: 0,
    log: (line) => log.push(line),
    crash: () => process.kill(process.pid, 'SIGKILL'),
  });

/** A run that has its plan already is there before the engine is. */
const plant = async (steps: readonly PlanStep[]): Promise<void> => {
  const clock = systemClock;
  const repository = await openRepository({ path: order.root, random: Math.random, clock, environment: process.env });
  const facts = await repository.facts();
  const { store } = await openStore({
    path: join(repository.stateDir, 'state.db'),
    backupDir: join(repository.stateDir, 'backups'),
    clock,
    version: 'test',
  });
  const {
    apiKey: _,
    skillHub: _hub,
    skillHubHosts: _hosts,
    processors: _processors,
    worktree: _worktree,
    ...options
  } = config;
  const planning = { retries: 0 };
  const id = newId('run', { random: Math.random, clock });
  const row = { id, key: 'the-run', task: order.task, options: { ...options, planning }, createdAt: clock.now() };
  const place = { baseBranch: facts.branch, baseCommit: facts.head, branch: `coppice/${id}` };
  await store.transaction(async (tx) => {
    if (await tx.runByKey('the-run')) return;
    await tx.insertRun({ ...row, ...place });
    await tx.moveRun(id, 'running');
    const run = await tx.run(id);
    if (run)
      await acceptPlan({ random: Math.random, clock }, tx, run, { pattern: 'saga', source: { by: 'person' }, steps });
  });
  await store.close();
  await repository.close();
};

/** Once in the life of the run, however often the engine is started; what it finds paused it continues. */
const pauseAndContinue = async (engine: Engine, run: RunId): Promise<void> => {
  const signal = new AbortController().signal;
  const { events } = await engine.events({ after: 0, waitMs: 0, limit: 100_000, run, signal });
  const asked = events.some(({ type }) => type === 'run.paused');
  if (!asked) await engine.pauseAgents({ run, below: true });
  for (let tries = 0; tries < 500; tries++) {
    const now = await engine.runStatus(run);
    if (now.endedAt !== null || !now.paused) return;
    if (now.stuck?.includes('paused')) await engine.continueAgents({ run, below: true });
    else await systemClock.sleep(10);
  }
  log.push('it never came to a pause');
};

const main = async (): Promise<void> => {
  if (order.steps) await plant(order.steps);
  const before = order.crash === null ? await inspect().catch((error: unknown) => [String(error)]) : [];
  const { engine, release } = await compose();
  const options = { unattended: true };
  const { run } = await engine.startRun({ task: order.task, options, key: 'the-run' });
  if (order.pause) await pauseAndContinue(engine, run);
  let view = await engine.waitRun(run, 30_000, new AbortController().signal);
  if (view.endedAt === null) log.push(JSON.stringify(await engine.queue()));
  view = await engine.runStatus(run);
  for (let tries = 0; tries < 200 && !(await engine.isIdle()); tries++) await systemClock.sleep(20);
  await engine.stop();
  await release();
  const after = await inspect();
  const verdict: Verdict = {
    state: view.state,
    branch: view.branch,
    commit: view.commit,
    error: view.error,
    report: view.report,
    agents: view.agents.total,
    faults: [...before, ...after],
    log,
  };
  console.log(JSON.stringify(verdict));
};

void main();
