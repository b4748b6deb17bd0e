import { UserError } from '../../mcp-server/domain/errors.ts';
import type { EngineEvent, EventBody } from '../../mcp-server/domain/event.ts';
import type { AgentId, Commit, JobId, MessageId, RunId } from '../../mcp-server/domain/ids.ts';
import type { AgentView, Engine, RunView } from '../../mcp-server/engine/facade.ts';
import { withoutSkills } from '../../mcp-server/engine/skills-desk.ts';
import { fakePlanning } from './fake-planning.ts';

/** How the scripted run goes. */
export interface Script {
  /** Workers of a run; synthesizers and an executive come on top. */
  readonly workers: number;
  /** Agents that do something at each step. */
  readonly perStep: number;
  readonly stepMs: number;
  /** Steps after which the run is completed; 0: never. */
  readonly steps: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type FakeAgent = Mutable<AgentView>;

const BASE = '1'.repeat(40) as Commit;
const HEAD = '2'.repeat(40) as Commit;
const FILES = {
  'docs/map/src.md': { base: null, head: '# src\n\nTwo files.\n' },
  'README.md': { base: '# Project\n', head: '# Project\n\nSee docs/map.\n' },
  'old.txt': { base: 'no longer needed\n', head: null },
} as const;

/** An engine of which every word is made up: for tests of the editor that need neither a repository nor a model. */
export class FakeEngine {
  readonly #script: Script;
  readonly #runs = new Map<string, Mutable<RunView>>();
  readonly #agents = new Map<string, FakeAgent>();
  readonly #touched = new Map<string, number>();
  readonly #events: EngineEvent[] = [];
  readonly #messages: { agent: string; text: string }[] = [];
  #waiters: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #step = 0;

  constructor(script: Script) {
    this.#script = script;
  }

  /** What the faces call; typed as the real one. */
  engine(): Engine {
    return {
      ...fakePlanning({
        run: (run) => this.#run(run),
        agents: (run) => [...this.#agents.values()].filter((agent) => agent.run === run),
        begin: (run) => this.#begin(run),
        held: (run) => this.#tell({ type: 'run.held', steps: 2, reason: 'the plan was changed' }, run),
      }),
      ...withoutSkills(),
      startRun: async ({ task, options }) =>
        this.#start(task, options.budget ?? 500_000, options.planning?.gate === 'ask'),
      runStatus: async (run) => this.#run(run),
      waitRun: async (run) => this.#run(run),
      listRuns: async () => [...this.#runs.values()].reverse(),
      cancelRun: async ({ run }) => this.#end(run, 'cancelled'),
      resumeRun: async (run) => this.#run(run),
      pauseAgents: async ({ run, agent }) => this.#pause(run, agent, true),
      continueAgents: async ({ run, agent }) => this.#pause(run, agent, false),
      events: (input) => this.#follow(input),
      listAgents: async ({ run, changedSince }) => ({
        agents: [...this.#agents.values()].filter(
          (agent) => agent.run === run && (this.#touched.get(agent.agent) ?? 0) > (changedSince ?? -1),
        ),
        last: this.#last(),
      }),
      transcript: async (agent) => this.#transcript(agent),
      messageAgent: async ({ agent, text }) => this.#message(agent, text),
      budget: async (run) => this.#budget(run),
      queue: async () => this.#queue(),
      listReviews: async () => [],
      reviewDiff: async ({ run }) => this.#diff(run),
      reviewFile: async ({ path, side }) => ({ text: FILES[path as keyof typeof FILES]?.[side] ?? null }),
      land: async (run) => this.#land(run),
      discard: async (run) => {
        this.#run(run).review = 'discarded';
        this.#tell({ type: 'run.discarded' }, run);
        return { discarded: true as const, keptWorktrees: [] };
      },
      checkSetup: async () => ({
        ok: true,
        problems: [{ severity: 'ok' as const, what: 'This is the fake engine of the tests.', fix: '' }],
      }),
      isIdle: async () => false,
      stop: async () => this.stop(),
    };
  }

  /** Begins with a run whose plan waits. */
  plan(task: string): void {
    this.#start(task, 500_000, true);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const wake of this.#waiters.splice(0)) wake();
  }

  #start(task: string, budget: number, waits: boolean): RunView {
    const id = `r-${String(this.#runs.size + 1).padStart(12, '0')}` as RunId;
    const run = fakeRun(id, task, budget);
    this.#runs.set(id, run);
    this.#tell({ type: 'run.created', task, branch: run.branch, budget }, id);
    if (!waits) return this.#begin(id);
    run.state = 'planned';
    this.#tell({ type: 'run.held', steps: 2, reason: 'asked for' }, id);
    return run;
  }

  #begin(id: RunId): RunView {
    const run = this.#run(id);
    run.state = 'running';
    this.#grow(run);
    this.#tell({ type: 'run.planned', steps: 2, pattern: 'pipeline', by: 'model', reason: '' }, id);
    this.#timer ??= setInterval(() => this.#advance(), this.#script.stepMs);
    return run;
  }

  /** Workers, five to a synthesizer, and an executive over two synthesizers or more. */
  #grow(run: RunView): void {
    const groups = Math.ceil(this.#script.workers / 5);
    const top = groups > 1 ? this.#add(run, null, 'executive', 'join everything') : null;
    for (let group = 0; group < groups; group += 1) {
      const synthesizer = this.#add(run, top, 'synthesizer', `join part ${group + 1}`);
      const left = Math.min(5, this.#script.workers - group * 5);
      for (let worker = 0; worker < left; worker += 1)
        this.#add(run, synthesizer, 'worker', `map folder ${group * 5 + worker + 1}`);
    }
  }

  #add(run: RunView, parent: FakeAgent | null, tier: AgentView['tier'], name: string): FakeAgent {
    const id = `a-${run.run.slice(-3)}${String(this.#agents.size + 1).padStart(9, '0')}` as AgentId;
    const agent = fakeAgent(run, id, parent, tier, name);
    this.#agents.set(id, agent);
    const depth = agent.depth;
    this.#tell({ type: 'agent.created', parent: parent?.agent ?? null, name, tier, depth }, run.run, id);
    return agent;
  }

  #advance(): void {
    this.#step += 1;
    for (const run of this.#runs.values()) {
      if (run.state !== 'running') continue;
      const agents = [...this.#agents.values()].filter((agent) => agent.run === run.run);
      for (let i = 0; i < this.#script.perStep; i += 1) {
        const agent = agents[((this.#step - 1) * this.#script.perStep + i) % agents.length];
        if (agent) this.#act(run, agent);
      }
      if (this.#script.steps > 0 && this.#step >= this.#script.steps) this.#end(run.run, 'completed');
    }
  }

  #act(run: Mutable<RunView>, agent: FakeAgent): void {
    agent.state = 'running';
    agent.action = `read_file src/file-${this.#step}.ts`;
    agent.turns += 1;
    agent.prompt = { sent: agent.prompt.sent + 1000, cached: agent.prompt.cached + 850 };
    const used = agent.tokens.used + 100;
    agent.tokens = { ...agent.tokens, used, subtreeUsed: used, available: agent.tokens.available - 100 };
    run.tokens = { ...run.tokens, used: run.tokens.used + 100, available: run.tokens.available - 100 };
    this.#tell({ type: 'agent.acted', action: agent.action }, run.run, agent.agent);
  }

  #pause(id: RunId, only: AgentId | undefined, pausing: boolean): RunView {
    for (const agent of this.#agents.values()) {
      if (agent.run !== id || (only && agent.agent !== only) || agent.endedAt !== null) continue;
      const from = agent.state;
      const to = pausing ? 'paused' : 'ready';
      Object.assign(agent, { state: to, action: '', pausing });
      this.#tell({ type: 'agent.moved', from, to, reason: null }, id, agent.agent);
    }
    const run = this.#run(id);
    if (!only) run.paused = pausing;
    return run;
  }

  #end(id: RunId, state: 'completed' | 'cancelled'): RunView {
    const run = this.#run(id);
    if (run.endedAt !== null) return run;
    for (const agent of this.#agents.values()) {
      if (agent.run !== id) continue;
      Object.assign(agent, { state, action: '', report: 'Mapped.', endReason: 'finished', endedAt: Date.now() });
      this.#tell({ type: 'agent.moved', from: 'running', to: state, reason: null }, id, agent.agent);
    }
    Object.assign(run, {
      state,
      endedAt: Date.now(),
      commit: HEAD,
      filesChanged: 3,
      review: 'open',
      report: 'All is mapped.',
    });
    this.#tell({ type: 'run.ended', state, commit: HEAD, error: null }, id);
    return run;
  }

  #run(id: RunId): Mutable<RunView> {
    const run = this.#runs.get(id);
    if (!run) throw new UserError('not-found', `There is no run ${id}.`);
    const agents = [...this.#agents.values()].filter((agent) => agent.run === id);
    const completed = agents.filter((agent) => agent.state === 'completed').length;
    const active = agents.filter((agent) => agent.state === 'running').length;
    run.agents = { total: agents.length, completed, failed: 0, active };
    return run;
  }

  #tell(body: EventBody, run: RunId, agent: AgentId | null = null): void {
    const seq = this.#last() + 1;
    this.#events.push({ ...body, run, agent, seq, at: Date.now() });
    if (agent) this.#touched.set(agent, seq);
    for (const wake of this.#waiters.splice(0)) wake();
  }

  #last(): number {
    return this.#events.at(-1)?.seq ?? 0;
  }

  async #follow(input: Parameters<Engine['events']>[0]): ReturnType<Engine['events']> {
    if (this.#last() <= input.after && !input.signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, input.waitMs);
        const wake = (): void => {
          clearTimeout(timer);
          resolve();
        };
        this.#waiters.push(wake);
        input.signal.addEventListener('abort', wake);
      });
    }
    const events = this.#events.filter((event) => event.seq > input.after).slice(0, input.limit);
    return { events, last: events.at(-1)?.seq ?? input.after };
  }

  #transcript(id: AgentId): Awaited<ReturnType<Engine['transcript']>> {
    const agent = this.#agent(id);
    const said = this.#messages
      .filter((message) => message.agent === id)
      .map((message) => ({
        kind: 'message' as const,
        from: 'person',
        messageKind: 'steer',
        text: message.text,
        at: 0,
      }));
    const call = {
      tool: 'read_file',
      arguments: '{"path":"src/a.ts"}',
      ok: true,
      output: 'export {};',
      state: 'done' as const,
    };
    const usage = { prompt: 1000, completion: 50, cached: 850 };
    const timings = { queueMs: 0, promptMs: 20, completionMs: 300, firstTokenMs: 25 };
    const answer = { content: `Turn ${agent.turns}.`, reasoning: '', toolCalls: [], finish: 'tool_calls' as const };
    const turn = { seq: agent.turns, turnKind: 'normal', answer, usage, timings, commit: null, calls: [call], at: 0 };
    return { agent, entries: [{ kind: 'task', text: agent.task, at: 0 }, ...said, { kind: 'answer', ...turn }] };
  }

  #message(id: AgentId, text: string): { message: string; delivery: 'next-turn' } {
    this.#messages.push({ agent: id, text });
    const agent = this.#agent(id);
    this.#tell({ type: 'message.sent', to: id, from: 'person', kind: 'steer' }, agent.run, id);
    return { message: `m-${this.#messages.length}` as MessageId, delivery: 'next-turn' };
  }

  #agent(id: AgentId): FakeAgent {
    const agent = this.#agents.get(id);
    if (!agent) throw new UserError('not-found', `There is no agent ${id}.`);
    return agent;
  }

  #budget(id: RunId): Awaited<ReturnType<Engine['budget']>> {
    const run = this.#run(id);
    const agents = [...this.#agents.values()].filter((agent) => agent.run === id);
    const account = { account: id as string, parent: null, name: 'run', state: run.state };
    return {
      accounts: [
        { ...account, tokens: { ...run.tokens, subtreeUsed: run.tokens.used, used: 0 } },
        ...agents.map((agent) => ({
          ...account,
          account: agent.agent,
          parent: agent.parent ?? id,
          name: agent.name,
          state: agent.state,
          tokens: agent.tokens,
        })),
      ],
      granted: run.tokens.granted,
      sum: run.tokens.granted,
    };
  }

  #queue(): Awaited<ReturnType<Engine['queue']>> {
    const waiting = [...this.#agents.values()].filter((agent) => agent.state === 'ready');
    const jobs = waiting.map((agent, index) => ({
      job: `j-${agent.agent}` as JobId,
      run: agent.run,
      agent: agent.agent,
      name: agent.name,
      kind: 'turn' as const,
      priority: index === 0 ? ('critical' as const) : ('batch' as const),
      state: 'queued' as const,
      ageMs: Date.now() - agent.createdAt,
      attempts: 0,
      error: null,
    }));
    const slots = { busy: waiting.length > 0 ? 2 : 0, total: 4 };
    const server = {
      url: 'http://127.0.0.1:8080',
      model: 'fake',
      reachable: true,
      error: null,
      slots,
      contextSize: 8192,
    };
    return { servers: [server], jobs, counts: { person: 0, review: 0, critical: 0, batch: jobs.length } };
  }

  #diff(id: RunId): Awaited<ReturnType<Engine['reviewDiff']>> {
    const run = this.#run(id);
    const files = Object.entries(FILES).map(([path, { base, head }]) => ({
      path,
      oldPath: null,
      status: base === null ? ('added' as const) : head === null ? ('deleted' as const) : ('modified' as const),
      additions: 2,
      deletions: 1,
    }));
    const counts = { files: files.length, additions: 6, deletions: 3 };
    const review = {
      run: id,
      task: run.task,
      state: run.state,
      review: run.review,
      branch: run.branch,
      base: BASE,
      head: HEAD,
    };
    return { review: { ...review, ...counts }, files, patch: '' };
  }

  #land(id: RunId): Awaited<ReturnType<Engine['land']>> {
    this.#run(id).review = 'landed';
    this.#tell({ type: 'run.landed', branch: 'main', commit: HEAD }, id);
    return { kind: 'landed', branch: 'main', commit: HEAD };
  }
}

const fakeRun = (run: RunId, task: string, budget: number): Mutable<RunView> => ({
  run,
  task,
  state: 'running',
  branch: `coppice/${run}`,
  baseBranch: 'main',
  baseCommit: BASE,
  commit: BASE,
  cancelRequested: 'no',
  server: 'http://127.0.0.1:8080',
  review: 'none',
  report: null,
  error: null,
  createdAt: Date.now(),
  endedAt: null,
  agents: { total: 0, completed: 0, failed: 0, active: 0 },
  tokens: { granted: budget, available: budget, reserved: 0, used: 0 },
  filesChanged: null,
  stuck: null,
});

const fakeAgent = (
  run: RunView,
  agent: AgentId,
  parent: FakeAgent | null,
  tier: AgentView['tier'],
  name: string,
): FakeAgent => ({
  agent,
  run: run.run,
  parent: parent?.agent ?? null,
  name,
  role: tier,
  tier,
  depth: (parent?.depth ?? 0) + 1,
  task: `Carry out: ${name}.`,
  state: 'ready',
  action: '',
  branch: `${run.branch}/${agent}`,
  commit: null,
  report: null,
  error: null,
  endReason: null,
  createdAt: Date.now(),
  startedAt: Date.now(),
  endedAt: null,
  // The executive has spent most of its budget after one turn.
  tokens: { granted: tier === 'executive' ? 120 : 1000, available: 1000, reserved: 0, used: 0, subtreeUsed: 0 },
  prompt: { sent: 0, cached: 0 },
  turns: 0,
  question: null,
});
