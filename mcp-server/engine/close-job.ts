import { type Agent, cutShort } from '../domain/agent.ts';
import type { Job } from '../domain/job.ts';
import type { Observation } from '../domain/observation.ts';
import type { Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import type { RunState } from '../domain/transitions.ts';
import { asPlanned } from '../planning/sub-plan.ts';
import type { Reader, Tx } from '../store/port.ts';
import type { Core } from './core.ts';
import { WHOLE_RUN } from './make-plan.ts';
import { sagasWithFailure, takenBack } from './saga.ts';
import { reportWithSources } from './sources.ts';
import { undoneSection } from './undone-section.ts';

/** Ends the run: what it came to, its report, whether there is something to review. */
export const runCloseJob = async (core: Core, job: Job): Promise<void> => {
  const { store, repository } = core.parts;
  const run = await runOf(store, job);
  const changes = await repository.changes(run.baseCommit, run.headCommit);
  await store.transaction((tx) => endRun(core, tx, job, run, changes.length));
};

/** Ends a run that changed no file, for which git need not be asked, in this transaction; false: it did. */
export const closeUnchanged = async (core: Core, tx: Tx, job: Job): Promise<boolean> => {
  const run = await runOf(tx, job);
  if (run.headCommit !== run.baseCommit) return false;
  await endRun(core, tx, job, run, 0);
  return true;
};

const runOf = async (reader: Reader, job: Job): Promise<Run> => {
  const run = await reader.run(job.run);
  if (!run) throw new Error('A close job without its run.');
  return run;
};

/** `files`: how many it changed. */
const endRun = async (core: Core, tx: Tx, job: Job, run: Run, files: number): Promise<void> => {
  const agents = await tx.agents(run.id);
  const steps = await tx.steps(run.id);
  const planned = asPlanned({ steps }).steps;
  const cut = cutIn(agents, planned);
  const whole = cut.length === 0 && planned.every((step) => step.state === 'done' || step.state === 'omitted');
  const own = reportOf(last(agents, steps), planned);
  const members = [...sagasWithFailure(steps).values()].flat();
  const undone = undoneSection(members, await takenBack(tx, members, await tx.undos(run.id)));
  const told = [own, undone].filter((part) => part !== null).join('\n\n');
  const report = told === '' ? null : await reportWithSources(tx, run.id, told);
  const state =
    undone !== null && files === 0 && run.cancelRequested === 'no'
      ? 'failed'
      : endState(run, agents, files, whole, report);
  const error = errorOf(last(agents, steps), cut, state);
  const now = core.parts.clock.now();
  await tx.finishJob(job.id, 'done');
  await tx.moveRun(run.id, state, {
    report,
    error,
    review: files > 0 ? 'open' : 'none',
    endedAt: now,
    pausedAt: null,
  });
  await tx.emit(now, [{ type: 'run.ended', run: run.id, agent: null, state, commit: run.headCommit, error }]);
  if (steps.length > 0) await tx.observe(await wholeRun(tx, run, state, { begun: begunAt(agents, run), at: now }));
};

/** How the pattern did; a run that somebody cancelled says nothing of it, but what it cost. */
const wholeRun = async (
  tx: Tx,
  run: Run,
  state: RunState,
  { begun, at }: { readonly begun: number; readonly at: number },
): Promise<Observation> => {
  const facts = await tx.planFacts(run.id);
  const accounts = await tx.accounts(run.id);
  return {
    run: run.id,
    agent: null,
    role: WHOLE_RUN,
    tier: WHOLE_RUN,
    pattern: state === 'cancelled' ? '' : (facts?.pattern ?? ''),
    complexity: facts?.complexity ?? '',
    tokens: accounts.reduce((sum, account) => sum + account.used, 0),
    wallMs: at - begun,
    turns: 0,
    ok: state === 'completed' || state === 'answered',
    at,
  };
};

/** When the plan's agents were made: what a person took to look at it is no time of the run's. */
const begunAt = (agents: readonly Agent[], run: Run): number =>
  agents.find((agent) => agent.tier !== 'planner')?.createdAt ?? run.createdAt;

/** Agents of the plan whose step is done only in part. What an agent has added, or delegated, is its own affair. */
const cutIn = (agents: readonly Agent[], planned: readonly Step[]): readonly Agent[] => {
  const current = new Set(planned.flatMap(({ state, agent }) => (state === 'done' ? [agent] : [])));
  return agents.filter((agent) => current.has(agent.id) && cutShort(agent) !== null);
};

/** Without those whose step another one has tried again. */
const last = (agents: readonly Agent[], steps: readonly Step[]): readonly Agent[] => {
  const current = new Map(steps.map((step) => [step.id, step.agent]));
  return agents.filter((agent) => agent.role === 'resolver' || !agent.step || current.get(agent.step) === agent.id);
};

const endState = (
  run: Run,
  agents: readonly Agent[],
  files: number,
  whole: boolean,
  report: string | null,
): RunState => {
  if (run.cancelRequested !== 'no') return 'cancelled';
  const workers = agents.filter((agent) => agent.tier !== 'planner');
  const useful = workers.some((agent) => agent.state === 'completed' && agent.endReason !== 'nothing');
  if (!useful) return files > 0 ? 'partial' : uselessState(workers);
  if (!whole) return 'partial';
  if (files > 0) return 'completed';
  return report ? 'answered' : 'nothing';
};

const uselessState = (workers: readonly Agent[]): RunState => {
  if (workers.some((agent) => agent.state === 'failed') || workers.length === 0) return 'failed';
  return workers.every((agent) => agent.state === 'cancelled') ? 'cancelled' : 'nothing';
};

/** Whoever comes last speaks for the run: the executive, the last stage. When they have failed, all at the top do. */
const reportOf = (agents: readonly Agent[], steps: readonly Step[]): string | null => {
  const needed = new Set(steps.flatMap((step) => step.needs));
  const ends = steps.filter((step) => !needed.has(step.key) && step.state !== 'omitted');
  const whole = ends.length > 0 && ends.every((step) => step.state === 'done');
  const speakers = new Set(ends.map((step) => step.agent));
  const isTop = (agent: Agent): boolean =>
    whole ? speakers.has(agent.id) : agent.parent === null && agent.tier !== 'planner' && agent.step !== null;
  const top = agents.filter((agent) => isTop(agent) && agent.report);
  if (top.length === 1) return top[0]?.report ?? null;
  const parts = top.map((agent) => `## ${agent.name}\n\n${agent.report}`);
  return parts.length > 0 ? parts.join('\n\n') : null;
};

const errorOf = (agents: readonly Agent[], cut: readonly Agent[], state: RunState): string | null => {
  if (state !== 'failed' && state !== 'partial') return null;
  const all = [
    ...agents
      .filter((agent) => agent.state === 'failed')
      .map((agent) => `${agent.name}: ${agent.error ?? agent.endReason ?? 'failed'}`),
    ...cut.map((agent) => `${agent.name}: incomplete, ${cutShort(agent)}`),
  ];
  const lines = all.slice(0, 10);
  if (all.length > lines.length) lines.push(`… and ${all.length - lines.length} more`);
  return lines.join('\n') || 'No agent did anything useful.';
};
