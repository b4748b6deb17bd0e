import { isAllowed } from '../agent/tools/command.ts';
import { commandsDirOf } from '../agent/tools/orphans.ts';
import { type ProcessOutcome, runProcess } from '../agent/tools/process.ts';
import type { Agent } from '../domain/agent.ts';
import type { Run } from '../domain/run.ts';
import { permissionsOf } from '../domain/run-of-agent.ts';
import { truncate } from '../domain/text.ts';
import type { Lease } from '../worktrees/port.ts';
import type { Core } from './core.ts';

const OUTPUT_CHARS = 2000;

/**
 * Runs the person's set-up in a new worktree, where their settings and the run allow the program. What it leaves that git
 * does not ignore is taken away again: it is no work of the agent. Returns what went wrong, in words; null: nothing did.
 * Throws the signal's reason when it is cut: then it is run again in a worktree made anew.
 */
export const setUpWorktree = async (
  core: Core,
  run: Run,
  agent: Agent,
  lease: Lease,
  signal: AbortSignal,
): Promise<string | null> => {
  const { worktreeSetup: setup, settings, store, clock, repository, commandEnvironment } = core.parts;
  if (!setup) return null;
  const [program] = setup.argv;
  if (!isAllowed(settings.permissions.commands, program)) return null;
  if (!isAllowed(permissionsOf(run, agent).commands, program)) return null;
  const what = setup.argv.join(' ');
  const about = { run: run.id, agent: agent.id } as const;
  await store.transaction(async (tx) => {
    const action = `sets up its worktree: ${what}`;
    await tx.patchAgent(agent.id, { action });
    await tx.emit(clock.now(), [{ type: 'agent.acted', ...about, action }]);
  });
  const start = clock.now();
  const outcome = await runProcess(
    {
      argv: setup.argv,
      folder: lease.path,
      environment: commandEnvironment,
      timeoutMs: setup.timeoutMs,
      keepChars: OUTPUT_CHARS,
      commandsDir: commandsDirOf(repository.stateDir),
    },
    signal,
  );
  signal.throwIfAborted();
  await repository.reset(lease, agent.headCommit ?? run.headCommit);
  const error = faultOf(outcome, what, setup.timeoutMs);
  await store.transaction((tx) =>
    tx.emit(clock.now(), [
      error === null
        ? { type: 'worktree.setUp', ...about, ms: clock.now() - start }
        : { type: 'worktree.setUpFailed', ...about, error },
    ]),
  );
  return error;
};

const faultOf = (outcome: ProcessOutcome, what: string, timeoutMs: number): string | null => {
  if (outcome.kind === 'unstartable')
    return `${what}: ${outcome.code === 'ENOENT' ? 'there is no such program' : outcome.code}`;
  if (outcome.kind === 'exited' && outcome.code === 0) return null;
  const how =
    outcome.kind === 'exited'
      ? `exit code ${outcome.code}`
      : outcome.by === 'timeout'
        ? `ended because it ran longer than ${Math.round(timeoutMs / 1000)} s`
        : 'ended by a signal';
  const said = truncate(outcome.output.trim(), OUTPUT_CHARS);
  return `${what}: ${how}${said && `\n${said}`}`;
};

/** What the agent reads before the result of the call that needed the worktree. */
export const setupNotice = (error: string): string =>
  `[The set-up of your copy of the repository failed: ${error}\nYou go on without it: what it installs may be missing.]`;
