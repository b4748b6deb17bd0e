import { UserError } from '../../mcp-server/domain/errors.ts';
import type { EngineEvent } from '../../mcp-server/domain/event.ts';
import type { AgentId, Commit, RunId } from '../../mcp-server/domain/ids.ts';
import type { AgentView, Engine, RunView } from '../../mcp-server/engine/facade.ts';
import { withoutSkills } from '../../mcp-server/engine/skills-desk.ts';
import { noPlanning } from './no-planning.ts';

/** An engine of a few objects in memory, for tests of the faces alone. */
export interface FakeEngine extends Engine {
  readonly calls: string[];
  stopped: boolean;
  idle: boolean;
  addRun(patch?: Partial<RunView>): RunView;
  patchRun(run: string, patch: Partial<RunView>): void;
  addAgent(agent: AgentView): void;
  emit(event: Record<string, unknown> & { type: string }): void;
  /** The next call of this name throws. */
  fail(name: string, error: unknown): void;
}

const TOKENS = { granted: 1000, available: 900, reserved: 0, used: 100 };

/** A run as the engine would show it. */
export const fakeRun = (patch: Partial<RunView> = {}): RunView => ({
  run: 'r-1' as RunId,
  task: 'Do it',
  state: 'running',
  branch: 'coppice/r-1',
  baseBranch: 'main',
  baseCommit: 'a'.repeat(40) as Commit,
  commit: 'b'.repeat(40),
  cancelRequested: 'no',
  server: 'rehearsal',
  review: 'none',
  report: null,
  error: null,
  createdAt: 1000,
  endedAt: null,
  agents: { total: 3, completed: 1, failed: 0, active: 2 },
  tokens: TOKENS,
  stuck: null,
  filesChanged: null,
  ...patch,
});

/** An agent as the engine would show it. */
export const fakeAgent = (patch: Partial<AgentView> = {}): AgentView => ({
  agent: 'a-1' as AgentId,
  run: 'r-1' as RunId,
  parent: null,
  name: 'map docs',
  role: 'worker',
  tier: 'worker',
  depth: 1,
  task: 'Map docs',
  state: 'running',
  action: 'read_file docs/a.md',
  branch: 'coppice/a-1',
  commit: null,
  report: null,
  error: null,
  endReason: null,
  createdAt: 1000,
  startedAt: 1000,
  endedAt: null,
  tokens: { ...TOKENS, subtreeUsed: 100 },
  prompt: { sent: 10, cached: 5 },
  turns: 1,
  question: null,
  ...patch,
});

/** Makes one without runs. */
export const createFakeEngine = (): FakeEngine => {
  const runs = new Map<string, RunView>();
  const keys = new Map<string, string>();
  const agents = new Map<string, AgentView>();
  const events: EngineEvent[] = [];
  const failures = new Map<string, unknown>();
  const listeners = new Set<() => void>();
  const calls: string[] = [];
  const enter = (name: string): void => {
    calls.push(name);
    const failure = failures.get(name);
    failures.delete(name);
    if (failure !== undefined) throw failure;
  };
  const runOf = (id: string): RunView => {
    const run = runs.get(id);
    if (!run) throw new UserError('not-found', `There is no run ${id}.`);
    return run;
  };
  const changed = (waitMs: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      listeners.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  const notify = (): void => {
    for (const listener of listeners) listener();
  };
  const review = (run: RunView) => ({
    run: run.run,
    task: run.task,
    state: run.state,
    review: run.review,
    branch: run.branch,
    base: run.baseCommit,
    head: run.commit,
    files: 1,
    additions: 2,
    deletions: 1,
  });
  const engine: FakeEngine = {
    calls,
    stopped: false,
    idle: true,
    addRun: (patch = {}) => {
      const run = fakeRun({ run: `r-${runs.size + 1}` as RunId, ...patch });
      runs.set(run.run, run);
      return run;
    },
    patchRun: (id, patch) => {
      runs.set(id, { ...runOf(id), ...patch });
      notify();
    },
    addAgent: (agent) => void agents.set(agent.agent, agent),
    emit: (event) => {
      events.push({ run: null, agent: null, ...event, seq: events.length + 1, at: 1000 } as unknown as EngineEvent);
      notify();
    },
    fail: (name, error) => void failures.set(name, error),
    ...noPlanning,
    ...withoutSkills(),
    startRun: async ({ task, key }) => {
      enter('startRun');
      const known = key === undefined ? undefined : keys.get(key);
      if (known !== undefined) return runOf(known);
      const run = engine.addRun({ task });
      if (key !== undefined) keys.set(key, run.run);
      return run;
    },
    runStatus: async (id) => {
      enter('runStatus');
      return runOf(id);
    },
    waitRun: async (id, waitMs, signal) => {
      enter('waitRun');
      const until = Date.now() + waitMs;
      while (runOf(id).endedAt === null && Date.now() < until && !signal.aborted)
        await changed(until - Date.now(), signal);
      return runOf(id);
    },
    listRuns: async (limit) => [...runs.values()].reverse().slice(0, limit),
    cancelRun: async ({ run, mode }) => {
      enter(`cancelRun ${mode}`);
      engine.patchRun(run, { cancelRequested: mode });
      return runOf(run);
    },
    resumeRun: async (id) => runOf(id),
    pauseAgents: async ({ run, agent, below }) => {
      enter(`pauseAgents ${agent ?? 'all'} ${below}`);
      return runOf(run);
    },
    continueAgents: async ({ run, agent, below }) => {
      enter(`continueAgents ${agent ?? 'all'} ${below}`);
      return runOf(run);
    },
    events: async ({ after, waitMs, limit, signal }) => {
      const page = () => events.filter((event) => event.seq > after).slice(0, limit);
      if (page().length === 0 && waitMs > 0) await changed(waitMs, signal);
      const found = page();
      return { events: found, last: found.at(-1)?.seq ?? after };
    },
    listAgents: async ({ run }) => ({
      agents: [...agents.values()].filter((agent) => agent.run === run),
      last: events.length,
    }),
    transcript: async (id) => {
      const agent = agents.get(id);
      if (!agent) throw new UserError('not-found', `There is no agent ${id}.`);
      return { agent, entries: [{ kind: 'task', text: agent.task, at: agent.createdAt }] };
    },
    messageAgent: async ({ agent, text }) => {
      enter(`messageAgent ${agent} ${text}`);
      return { message: 'm-1', delivery: 'answer' };
    },
    budget: async (id) => {
      const run = runOf(id);
      const tokens = { ...run.tokens, subtreeUsed: run.tokens.used };
      return {
        accounts: [{ account: run.run, parent: null, name: 'run', state: run.state, tokens }],
        granted: 1000,
        sum: 1000,
      };
    },
    queue: async () => ({ servers: [], jobs: [], counts: { person: 0, review: 0, critical: 0, batch: 0 } }),
    listReviews: async () => [...runs.values()].filter((run) => run.endedAt !== null).map(review),
    reviewDiff: async ({ run }) => ({
      review: review(runOf(run)),
      files: [{ path: 'a.md', oldPath: null, status: 'modified', additions: 2, deletions: 1 }],
      patch: '--- a/a.md\n+++ b/a.md\n',
    }),
    reviewFile: async () => ({ text: 'text' }),
    land: async (id) => ({ kind: 'landed', branch: 'main', commit: runOf(id).commit as Commit }),
    discard: async (id) => {
      runOf(id);
      return { discarded: true, keptWorktrees: [] };
    },
    checkSetup: async () => ({ ok: true, problems: [{ severity: 'ok', what: 'All is well.', fix: '' }] }),
    isIdle: async () => engine.idle,
    stop: async () => {
      engine.stopped = true;
    },
  };
  return engine;
};
