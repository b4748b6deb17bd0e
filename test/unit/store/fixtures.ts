import type { AgentId, Commit, JobId, MessageId, RunId, StepId, TurnId } from '../../../mcp-server/domain/ids.ts';
import type { Plan, PlanStep, Step } from '../../../mcp-server/domain/plan.ts';
import type { RunOptions } from '../../../mcp-server/domain/run.ts';
import type { Answer, Call } from '../../../mcp-server/domain/turn.ts';
import type { NewAgent, NewJob, NewMessage, NewRun, NewTurn, Store } from '../../../mcp-server/store/port.ts';

/** Where one test's data lives. Each `open` is another engine on the same data. */
export interface Place {
  open(): Promise<Store>;
  /** Closes what is open and leaves nothing behind. */
  remove(): Promise<void>;
}
export type MakePlace = () => Promise<Place>;

export const ids = {
  run: (name: string | number) => `r-${name}` as RunId,
  agent: (name: string | number) => `a-${name}` as AgentId,
  job: (name: string | number) => `j-${name}` as JobId,
  turn: (name: string | number) => `t-${name}` as TurnId,
  message: (name: string | number) => `m-${name}` as MessageId,
  step: (name: string | number) => `s-${name}` as StepId,
};
export const R = ids.run(1);
export const A = ids.agent(1);
export const B = ids.agent(2);
export const commit = (digit: string): Commit => digit.repeat(40) as Commit;

export const options: RunOptions = {
  budget: 1000,
  maxDepth: 3,
  maxAgents: 10,
  maxAgentsPerLevel: 5,
  concurrency: 4,
  server: 'rehearsal',
  model: null,
  permissions: { commands: 'off' },
  unattended: true,
};

export const newRun = (id: RunId, more: Partial<RunOptions> = {}, createdAt = 100): NewRun => ({
  id,
  key: null,
  task: `task of ${id}`,
  options: { ...options, ...more },
  baseBranch: 'main',
  baseCommit: commit('0'),
  branch: `coppice/${id}`,
  createdAt,
});

export const newAgent = (id: AgentId, more: Partial<NewAgent> = {}): NewAgent => ({
  id,
  run: R,
  parent: null,
  step: null,
  depth: 1,
  tier: 'worker',
  role: 'writer',
  name: `name of ${id}`,
  task: 'write',
  temperature: 0.2,
  state: 'ready',
  branch: `coppice/${id}`,
  baseCommit: null,
  headCommit: null,
  createdAt: 100,
  ...more,
});

export const newJob = (id: string | number, agent: AgentId | null, more: Partial<NewJob> = {}): NewJob => ({
  id: ids.job(id),
  run: R,
  agent,
  kind: 'turn',
  source: null,
  priority: 'batch',
  server: (more.kind ?? 'turn') === 'turn' ? 'rehearsal' : '',
  prefix: 'p',
  runAt: 0,
  ...more,
});

export const newTurn = (id: string | number, agent: AgentId, job: JobId, more: Partial<NewTurn> = {}): NewTurn => ({
  id: ids.turn(id),
  agent,
  job,
  kind: 'normal',
  reserved: 50,
  startedAt: 200,
  ...more,
});

export const newMessage = (id: string | number, to: AgentId, more: Partial<NewMessage> = {}): NewMessage => ({
  id: ids.message(id),
  run: R,
  to,
  from: 'engine',
  kind: 'note',
  priority: 0,
  body: `body of ${id}`,
  createdAt: 150,
  ...more,
});

export const newCall = (turn: TurnId, ordinal: number, more: Partial<Call> = {}): Call => ({
  turn,
  ordinal,
  callId: `call-${ordinal}`,
  tool: 'read_file',
  arguments: '{"path":"a"}',
  state: 'done',
  ok: true,
  output: 'text',
  waitsFor: null,
  ...more,
});

export const planStep = (key: string, needs: readonly string[] = []): PlanStep => ({
  key,
  title: `title of ${key}`,
  task: 'do it',
  role: 'writer',
  tier: 'worker',
  needs,
  toleratesFailure: key === 'join',
  parent: null,
  weight: 1,
  temperature: 0.2,
});

/** A plan of these steps, and a step with an agent `a-<key>` for each. */
export const planOf = (...planned: readonly PlanStep[]): { plan: Plan; steps: Step[] } => ({
  plan: { pattern: 'fork-join', source: { by: 'rules', reason: 'no model' }, steps: planned },
  steps: planned.map((step) => ({
    ...step,
    id: ids.step(step.key),
    run: R,
    agent: ids.agent(step.key),
    state: 'pending',
    attempt: 1,
  })),
});

export const answer: Answer = {
  content: 'Reading.',
  reasoning: '',
  toolCalls: [{ id: 'call-0', name: 'read_file', arguments: '{"path":"a"}' }],
  finish: 'tool_calls',
};
export const usage = { prompt: 30, completion: 10, cached: 20 };
export const timings = { queueMs: 1, promptMs: 2.5, completionMs: 3, firstTokenMs: 4 };

/** A run of 1000 tokens with two agents that hold 300 each. */
export const seed = async (store: Store, more: Partial<RunOptions> = {}): Promise<void> =>
  store.transaction(async (tx) => {
    await tx.insertRun(newRun(R, more));
    await tx.insertAgents([newAgent(A), newAgent(B)]);
    await tx.grant(R, A, 300, 100);
    await tx.grant(R, B, 300, 100);
  });

/** Queues a turn for the agent, claims it, and opens a turn with a reservation. */
export const beginTurn = async (store: Store, name: string | number, agent: AgentId, reserved = 50): Promise<void> =>
  store.transaction(async (tx) => {
    await tx.enqueue([newJob(name, agent)], 200);
    await tx.claim({ kinds: ['turn'], now: 200, hot: [] });
    await tx.reserve(agent, ids.turn(name), reserved, 200);
    await tx.openTurnRow(newTurn(name, agent, ids.job(name), { reserved }));
  });
