import type { Agent } from '../domain/agent.ts';
import type { Job } from '../domain/job.ts';
import type { Run } from '../domain/run.ts';
import type { Reader, Tx } from '../store/port.ts';
import type { MergeOutcome } from '../worktrees/port.ts';
import { changeHead } from './by-hand.ts';
import { COMMITTER, type Core } from './core.ts';
import { pauseIfAsked } from './pausing.ts';
import { releaseAfterMerge } from './release-after-merge.ts';
import { heir, isOver } from './retire.ts';
import { settleAgent } from './settle.ts';
import { asAgent, createdEvent, mergeJob, newAgent, turnJob } from './spawn.ts';

/**
 * Brings the source agent's branch into the job's agent's, or into the run's. The merge is made in the object store and
 * published while the job keeps the target to itself, then stored; after a crash in between, refs go back to the
 * database and the merge is made again. A conflict becomes a resolver agent.
 */
export const runMergeJob = async (core: Core, job: Job): Promise<void> => {
  const { store, repository } = core.parts;
  const run = await store.run(job.run);
  const source = job.source && (await store.agent(job.source));
  const found = job.agent ? await store.agent(job.agent) : null;
  if (!run || !source || found === undefined) throw new Error('A merge job without its rows.');
  if (found && isOver(found)) return retarget(core, job, source);
  if (job.runAt > 0 && (await hasToWait(store, run, source, found)))
    return store.transaction((tx) => wait(core, tx, job));
  const message = `Merge ${source.name}\n\nAgent: ${source.id}\n`;
  const { into, outcome } = await changeHead<MergeOutcome>(core, run, found, (head) =>
    repository.merge(head, source.headCommit ?? head, message, COMMITTER),
  );
  await store.transaction(async (tx) => {
    const current = (await tx.run(run.id)) ?? run;
    const target = into ? await tx.agent(into.id) : undefined;
    if (target && isOver(target)) {
      await tx.finishJob(job.id, 'done');
      return goElsewhere(core, tx, job, source);
    }
    if (outcome.kind === 'conflict' && (await hasToWait(tx, current, source, into))) return wait(core, tx, job);
    await tx.finishJob(job.id, 'done');
    if (outcome.kind === 'conflict') return conflict(core, tx, current, job, source, into, outcome);
    await merged(core, tx, current, job, source, into, outcome);
  });
  core.tidy();
};

/** The agent that was to take it in has ended meanwhile. */
const retarget = (core: Core, job: Job, source: Agent): Promise<void> =>
  core.parts.store.transaction(async (tx) => {
    await tx.finishJob(job.id, 'done');
    await goElsewhere(core, tx, job, source);
  });

const goElsewhere = async (core: Core, tx: Tx, job: Job, source: Agent): Promise<void> =>
  tx.enqueue([mergeJob(core.parts, job.run, await heir(tx, source), source.id)], core.parts.clock.now());

const merged = async (
  core: Core,
  tx: Tx,
  run: Run,
  job: Job,
  source: Agent,
  into: Agent | null,
  outcome: Exclude<MergeOutcome, { kind: 'conflict' }>,
): Promise<void> => {
  const { clock } = core.parts;
  if (outcome.kind !== 'up-to-date') {
    if (into) await tx.patchAgent(into.id, { headCommit: outcome.commit });
    else await tx.patchRun(run.id, { headCommit: outcome.commit });
    await tx.emit(clock.now(), [
      { type: 'agent.merged', run: run.id, agent: into?.id ?? null, source: source.id, commit: outcome.commit },
    ]);
  }
  const now = !into && outcome.kind !== 'up-to-date' ? { ...run, headCommit: outcome.commit } : run;
  await settled(core, tx, now, job, source, into, true);
};

/** A merge counts for the source's step, unless it only brought a needed step's work to one that starts. */
const settled = async (
  core: Core,
  tx: Tx,
  run: Run,
  job: Job,
  source: Agent,
  into: Agent | null,
  ok: boolean,
): Promise<void> => {
  const fresh = into ? await tx.agent(into.id) : undefined;
  if (fresh) await releaseAfterMerge(core.parts, tx, run, fresh, job.id);
  await settleAgent(core.parts, tx, run, source, ok && source.state === 'completed', job.id);
};

const conflict = async (
  core: Core,
  tx: Tx,
  run: Run,
  job: Job,
  source: Agent,
  into: Agent | null,
  outcome: Extract<MergeOutcome, { kind: 'conflict' }>,
): Promise<void> => {
  const { clock } = core.parts;
  const resolver = await spawnResolver(core, tx, run, source, into, outcome);
  await tx.emit(clock.now(), [
    {
      type: 'agent.conflicted',
      run: run.id,
      agent: into?.id ?? null,
      source: source.id,
      files: outcome.files,
      resolver: resolver?.id ?? null,
    },
  ]);
  if (resolver) return;
  const error = `Its work conflicts with that of others in ${outcome.files.join(', ')}; it is kept on ${source.branch}.`;
  await tx.patchAgent(source.id, { error });
  await settled(core, tx, run, job, { ...source, error, endReason: 'conflict' }, into, false);
};

/** How often a conflict that waits for a resolver is looked at again. */
const LOOK_AGAIN_MS = 500;

const wait = (core: Core, tx: Tx, job: Job): Promise<void> =>
  tx.requeue(job.id, core.parts.clock.now() + LOOK_AGAIN_MS, null, true);

/**
 * Resolvers of one target work one after another, each on what the one before has joined: two at once would conflict
 * with each other, and the later one's work would be left out.
 */
const hasToWait = async (reader: Reader, run: Run, source: Agent, into: Agent | null): Promise<boolean> => {
  if (run.cancelRequested !== 'no' || OWN_WAYS.has(source.role)) return false;
  const parent = into?.id ?? null;
  const resolvers = (await reader.agents(run.id)).filter((one) => one.role === 'resolver' && one.parent === parent);
  if (resolvers.length === 0) return false;
  const jobs = await reader.jobs({ run: run.id, states: ['queued', 'running', 'parked'] });
  return resolvers.some((one) => {
    const own = jobs.filter((job) =>
      isOver(one) ? job.kind === 'merge' && job.source === one.id : job.agent === one.id,
    );
    return isOver(one) ? own.some((job) => job.state !== 'parked') : own.every((job) => job.state !== 'parked');
  });
};

/** Whose conflicts nobody resolves. */
const OWN_WAYS: ReadonlySet<string> = new Set(['resolver', 'undo']);

/** Tokens below which a resolver is not worth starting. */
const LEAST_TOKENS = 2000;

/** The resolver starts on a commit that holds both sides and the markers; its branch merges like any other's. */
const spawnResolver = async (
  core: Core,
  tx: Tx,
  run: Run,
  source: Agent,
  into: Agent | null,
  outcome: Extract<MergeOutcome, { kind: 'conflict' }>,
): Promise<Agent | undefined> => {
  if (run.cancelRequested !== 'no' || OWN_WAYS.has(source.role) || (into && isOver(into))) return undefined;
  const payer = into?.id ?? run.id;
  const available = (await tx.account(payer))?.available ?? 0;
  const tokens = Math.floor(available / 2);
  if (tokens < LEAST_TOKENS) return undefined;
  const now = core.parts.clock.now();
  const spec = {
    parent: into,
    tier: 'worker',
    role: 'resolver',
    name: `resolve ${outcome.files.length === 1 ? outcome.files[0] : `${outcome.files.length} files`}`,
    task: resolverTask(source, outcome.files),
    temperature: 0.2,
    step: source.step,
    start: outcome.marked,
  } as const;
  const row = newAgent(core.parts, run, spec, 'ready');
  await tx.insertAgents([row]);
  await tx.grant(payer, row.id, tokens, now);
  await tx.redirectCalls(source.id, row.id);
  await tx.enqueue([turnJob(core.parts, run, asAgent(row))], now);
  await tx.emit(now, [createdEvent(row), { type: 'budget.granted', run: run.id, agent: row.id, to: row.id, tokens }]);
  await pauseIfAsked(core.parts, tx, row.id);
  return asAgent(row);
};

const resolverTask = (source: Agent, files: readonly string[]): string =>
  `The work of "${source.name}" conflicts with work that was merged before it. These files hold conflict markers:\n` +
  `${files.map((file) => `- ${file}`).join('\n')}\n` +
  'In each, join both sides so that the intent of both is kept, and remove every marker line. Change nothing else. Then finish.';
