import { checkAllowed } from '../agent/tools/command.ts';
import { commandsDirOf } from '../agent/tools/orphans.ts';
import { runProcess } from '../agent/tools/process.ts';
import type { Agent } from '../domain/agent.ts';
import { messageOf, UserError } from '../domain/errors.ts';
import type { AgentId } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import type { Run } from '../domain/run.ts';
import { permissionsOf } from '../domain/run-of-agent.ts';
import { oneLine, truncate } from '../domain/text.ts';
import type { UndoRecord } from '../domain/undo.ts';
import type { NewAgent, Tx } from '../store/port.ts';
import { COMMITTER, type Core } from './core.ts';
import { pauseIfAsked } from './pausing.ts';
import { type Ending, isOver } from './retire.ts';
import { endUndo } from './saga.ts';
import { endAgent } from './settle.ts';
import { asAgent, createdEvent, newAgent, turnJob, undoJob } from './spawn.ts';
import { setUpWorktree } from './worktree-setup.ts';

/** Of one undoing command, ms. */
const COMMAND_MS = 300_000;
const OUTPUT_CHARS = 4000;
/** Fewer tokens are not worth an agent that undoes. */
const LEAST_TOKENS = 2000;

const workerFor = (core: Core, run: Run, undone: Agent, task: string, state: NewAgent['state']): NewAgent =>
  newAgent(
    core.parts,
    run,
    {
      parent: null,
      tier: 'worker',
      role: 'undo',
      name: `undo ${undone.name}`,
      task,
      temperature: 0.2,
      step: null,
      start: run.headCommit,
      permissions: undone.permissions ?? null,
    },
    state,
  );

/** An agent takes back what another one did; it is paid for with half of what the run has left. */
export const startUndoAgent = async (core: Core, tx: Tx, job: Job, record: UndoRecord): Promise<void> => {
  const { parts } = core;
  const now = parts.clock.now();
  const run = await tx.run(job.run);
  const undone = await tx.agent(record.agent);
  if (!run || !undone || record.undo.kind !== 'agent') throw new Error('An undo job without its rows.');
  await tx.finishJob(job.id, 'done');
  const tokens = Math.floor(((await tx.account(run.id))?.available ?? 0) / 2);
  if (tokens < LEAST_TOKENS) {
    await endUndo(parts, tx, run, record, 'failed', 'No tokens are left for an agent that undoes it.');
    return tx.enqueue([undoJob(parts, run.id)], now);
  }
  const did =
    undone.state === 'completed'
      ? 'did this, and it must be undone'
      : 'has begun with this and was stopped half-way; whatever it did of it must be undone';
  const task = `Another agent, "${undone.name}", ${did}:\n${undone.task}\n\nUndo it: ${record.undo.task}`;
  const worker = workerFor(core, run, undone, task, 'ready');
  await tx.insertAgents([worker]);
  await tx.grant(run.id, worker.id, tokens, now);
  await tx.moveUndo(record.agent, 'running', { worker: worker.id });
  await tx.enqueue([turnJob(parts, run, asAgent(worker))], now);
  await tx.emit(now, [
    createdEvent(worker),
    { type: 'budget.granted', run: run.id, agent: worker.id, to: worker.id, tokens },
  ]);
  await pauseIfAsked(parts, tx, worker.id);
};

/** False: it is not allowed, which is written down. */
export const startUndoCommand = async (core: Core, job: Job, record: UndoRecord): Promise<boolean> =>
  core.parts.store.transaction(async (tx) => {
    const { parts } = core;
    const now = parts.clock.now();
    const run = await tx.run(job.run);
    const undone = await tx.agent(record.agent);
    if (!run || !undone || record.undo.kind !== 'command') throw new Error('An undo job without its rows.');
    const refused = refusal(run, undone, record.undo.argv);
    if (refused !== null) {
      await tx.finishJob(job.id, 'done');
      await endUndo(parts, tx, run, record, 'impossible', refused);
      await tx.enqueue([undoJob(parts, run.id)], now);
      return false;
    }
    const worker = workerFor(core, run, undone, `run ${record.undo.argv.join(' ')}`, 'ready');
    await tx.insertAgents([worker]);
    await tx.moveAgent(worker.id, 'running', { startedAt: now, action: oneLine(worker.task, 80) });
    await tx.moveUndo(record.agent, 'running', { worker: worker.id });
    await tx.emit(now, [
      createdEvent(worker),
      { type: 'agent.moved', run: run.id, agent: worker.id, from: 'ready', to: 'running', reason: null },
    ]);
    return true;
  });

const refusal = (run: Run, agent: Agent, [program = '']: readonly string[]): string | null => {
  try {
    checkAllowed(permissionsOf(run, agent).commands, program);
    return null;
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
};

/** Runs the command in a worktree of the run's newest commit; what it changes there comes home like any agent's work. */
export const runUndoCommand = async (core: Core, job: Job, of: AgentId, signal: AbortSignal): Promise<void> => {
  const { store, repository, clock } = core.parts;
  const record = (await store.undos(job.run)).find(({ agent }) => agent === of);
  const worker = record?.worker ? await store.agent(record.worker) : undefined;
  if (!worker || record?.undo.kind !== 'command') throw new Error('A command without its rows.');
  const head = worker.headCommit ?? worker.baseCommit;
  if (!head) throw new Error('An agent that begins nowhere.');
  const { ending, lease } = await execute(core, worker, record.undo.argv, signal);
  if (signal.aborted) return left(core, job, worker.id);
  const message = `${oneLine(worker.name, 72)}\n\nAgent: ${worker.id}\nTurn: 1\n`;
  const commit =
    lease && ending.state === 'completed' ? await repository.snapshot(lease, head, message, COMMITTER) : null;
  if (commit) await repository.publish(worker.branch, commit.commit);
  await store.transaction(async (tx) => {
    await tx.finishJob(job.id, 'done');
    const run = await tx.run(job.run);
    const agent = await tx.agent(worker.id);
    if (!run || !agent || isOver(agent)) return;
    if (commit) {
      await tx.patchAgent(agent.id, { headCommit: commit.commit });
      await tx.emit(clock.now(), [{ type: 'agent.committed', run: run.id, agent: agent.id, ...commit }]);
    }
    const headCommit = commit?.commit ?? agent.headCommit;
    await endAgent(core.parts, tx, run, { ...agent, headCommit }, ending, job.id);
  });
  core.tidy();
};

const execute = async (core: Core, worker: Agent, argv: readonly string[], signal: AbortSignal) => {
  const { repository, commandEnvironment: environment } = core.parts;
  const [program = '', ...args] = argv;
  const head = worker.headCommit ?? worker.baseCommit;
  if (!head) throw new Error('An agent that begins nowhere.');
  const run = await core.parts.store.run(worker.run);
  try {
    const lease = await core.leases.lease(core.parts, worker, head, async (made) => {
      const fault = run && (await setUpWorktree(core, run, worker, made, signal));
      if (fault) core.parts.log(`${worker.name}: ${fault}`);
    });
    // What an earlier, cut run of it left behind.
    await repository.reset(lease, head);
    const commandsDir = commandsDirOf(repository.stateDir);
    const outcome = await runProcess(
      {
        argv: [program, ...args],
        folder: lease.path,
        environment,
        timeoutMs: COMMAND_MS,
        keepChars: OUTPUT_CHARS,
        commandsDir,
      },
      signal,
    );
    const said = 'output' in outcome ? truncate(outcome.output.trim(), OUTPUT_CHARS) : '';
    if (outcome.kind === 'exited' && outcome.code === 0) return { lease, ending: completed(argv, said) };
    const how =
      outcome.kind === 'exited'
        ? `exit code ${outcome.code}`
        : outcome.kind === 'killed'
          ? `ended by ${outcome.by}`
          : outcome.code;
    return { lease, ending: failed(`${argv.join(' ')}: ${how}${said && `\n${said}`}`) };
  } catch (error) {
    return { lease: null, ending: failed(messageOf(error)) };
  }
};

const completed = (argv: readonly string[], said: string): Ending => ({
  state: 'completed',
  reason: 'finished',
  report: `${argv.join(' ')} was run.${said && `\n${said}`}`,
  error: null,
});
const failed = (error: string): Ending => ({ state: 'failed', reason: 'blocked', report: null, error });

/** The command was cut: by the end of the engine, after which it is run again, or by an abort of the run. */
const left = (core: Core, job: Job, worker: AgentId): Promise<void> =>
  core.parts.store.transaction(async (tx) => {
    const run = await tx.run(job.run);
    const agent = await tx.agent(worker);
    if (!run || run.cancelRequested !== 'abort') return tx.requeue(job.id, core.parts.clock.now(), null, true);
    await tx.finishJob(job.id, 'cancelled');
    if (agent && !isOver(agent))
      await endAgent(
        core.parts,
        tx,
        run,
        agent,
        { ...failed('The run was aborted.'), state: 'cancelled', reason: 'cancelled' },
        job.id,
      );
  });
