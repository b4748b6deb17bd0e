import type { Acted } from '../agent/act.ts';
import type { ToolContext } from '../agent/tool.ts';
import { commandsDirOf } from '../agent/tools/orphans.ts';
import type { Agent } from '../domain/agent.ts';
import type { Commit } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import type { Lease } from '../worktrees/port.ts';
import { COMMITTER, type Core } from './core.ts';
import { skillDesk } from './skill-desk.ts';
import { setUpWorktree, setupNotice } from './worktree-setup.ts';

/** The files that one turn works on. */
export interface TurnFolder {
  readonly context: ToolContext;
  /** Takes over a worktree that an earlier engine left. `again`: these tools may have run in part before. */
  begin(again: boolean): Promise<void>;
  /** Last look at what was done: a resolver may not finish while markers are left. */
  check(acted: readonly Acted[]): Promise<readonly Acted[]>;
  /** A commit of what changed, as an object; null when nothing did. */
  snapshot(message: string): Promise<{ commit: Commit; files: readonly string[] } | null>;
}

export const toolContext = (core: Core, run: Run, agent: Agent, signal: AbortSignal): TurnFolder => {
  const { repository, commandEnvironment, skills } = core.parts;
  const head = agent.headCommit ?? run.headCommit;
  let held: Lease | undefined;
  let notice: string | null = null;
  const lease = async (): Promise<Lease> => {
    held ??= await core.leases.lease(core.parts, agent, head, async (made) => {
      const fault = await setUpWorktree(core, run, agent, made, signal);
      if (fault !== null) notice = setupNotice(fault);
    });
    return held;
  };
  const snapshot = async (message: string) => (held ? repository.snapshot(held, head, message, COMMITTER) : null);
  const folder = async (): Promise<string> => (await lease()).path;
  const desk = {
    run,
    agent,
    root: repository.root,
    now: () => core.parts.clock.now(),
    folder,
    asking: <T>(skill: string, use: () => Promise<T>) => core.skillWaits.asking(core, { run, agent }, skill, use),
  };
  const context: ToolContext = {
    agent,
    run,
    limits: core.limits,
    environment: commandEnvironment,
    commandsDir: commandsDirOf(repository.stateDir),
    skills: skills ? skillDesk(skills, desk) : null,
    takeNotice: () => {
      const said = notice;
      notice = null;
      return said;
    },
    tree: async () => (held ? repository.treeOfLease(held) : repository.treeOf(head)),
    writable: async () => repository.treeOfLease(await lease()),
    folder,
    diff: async (path) => {
      const now = (await snapshot('so far'))?.commit ?? head;
      const from = agent.baseCommit ?? run.baseCommit;
      return repository.patch(from, now, {
        ...(path === undefined ? {} : { path }),
        maxBytes: core.limits.outputChars,
      });
    },
  };
  return {
    context,
    snapshot,
    begin: async (again) => {
      held = await core.leases.adopt(core.parts, agent.id, head, again);
    },
    check: async (acted) => (agent.role === 'resolver' ? checkMarkers(core, run, head, acted, snapshot) : acted),
  };
};

const checkMarkers = async (
  core: Core,
  run: Run,
  head: Commit,
  acted: readonly Acted[],
  snapshot: (message: string) => Promise<{ commit: Commit } | null>,
): Promise<readonly Acted[]> => {
  if (!acted.some(({ result }) => result.effect?.kind === 'finish')) return acted;
  const left = await markersLeft(core, run, (await snapshot('check'))?.commit ?? head);
  if (left.length === 0) return acted;
  const output = `Not finished: conflict markers are left in ${left.join(', ')}. Remove every <<<<<<<, ======= and >>>>>>> line.`;
  return acted.map((one) => (one.result.effect?.kind === 'finish' ? { ...one, result: { ok: false, output } } : one));
};

/** Files changed since the run's base that hold conflict markers at the commit. */
export const markersLeft = async (core: Core, run: Run, commit: Commit): Promise<readonly string[]> => {
  const { repository } = core.parts;
  const changed = await repository.changes(run.baseCommit, commit);
  const paths = changed.filter((file) => file.status !== 'deleted').map((file) => file.path);
  return repository.conflictMarkers(commit, paths);
};
