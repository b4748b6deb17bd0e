import type { Agent } from '../domain/agent.ts';
import { UserError } from '../domain/errors.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import type { Account } from '../domain/ledger.ts';
import type { Run } from '../domain/run.ts';
import { counted } from '../domain/text.ts';
import type { AgentState } from '../domain/transitions.ts';
import type { Call, Turn } from '../domain/turn.ts';
import type { Reader } from '../store/port.ts';
import type { Repository } from '../worktrees/port.ts';
import type { AccountView, AgentView, RunView, TokensView, TranscriptEntry } from './facade.ts';
import { pausedWhole } from './pause.ts';

const ACTIVE: readonly AgentState[] = ['pending', 'ready', 'running', 'waiting', 'paused'];

export const runOf = async (reader: Reader, id: RunId): Promise<Run> => {
  const run = await reader.run(id);
  if (!run)
    throw new UserError('not-found', `There is no run ${id} in this repository. The list of runs has their ids.`);
  return run;
};

const agentOf = async (reader: Reader, id: AgentId): Promise<Agent> => {
  const agent = await reader.agent(id);
  if (!agent)
    throw new UserError(
      'not-found',
      `There is no agent ${id} in this repository. The list of a run's agents has their ids.`,
    );
  return agent;
};

const counts = async (reader: Reader, run: RunId) => {
  const byState = await reader.agentCounts(run);
  const sum = (states: readonly AgentState[]): number => states.reduce((n, state) => n + (byState[state] ?? 0), 0);
  const active = sum(ACTIVE);
  const completed = byState.completed ?? 0;
  const failed = byState.failed ?? 0;
  return { total: active + completed + failed + (byState.cancelled ?? 0), completed, failed, active };
};

const tokensOf = async (reader: Reader, run: Run) => {
  const accounts = await reader.accounts(run.id);
  const sum = (pick: (account: Account) => number): number => accounts.reduce((n, account) => n + pick(account), 0);
  return {
    granted: run.options.budget,
    available: sum((a) => a.available),
    reserved: sum((a) => a.reserved),
    used: sum((a) => a.used),
  };
};

/** `troubleOf`: what keeps turns on a server from going on, if anything does. */
export const runView = async (
  reader: Reader,
  repository: Repository,
  run: Run,
  troubleOf: (server: string) => string | undefined,
): Promise<RunView> => {
  const ended = run.endedAt !== null;
  return {
    run: run.id,
    task: run.task,
    state: run.state,
    branch: run.branch,
    baseBranch: run.baseBranch,
    baseCommit: run.baseCommit,
    commit: run.headCommit,
    cancelRequested: run.cancelRequested,
    server: run.options.server,
    review: run.review,
    report: run.report,
    error: run.error,
    createdAt: run.createdAt,
    endedAt: run.endedAt,
    agents: await counts(reader, run.id),
    tokens: await tokensOf(reader, run),
    paused: (run.pausedAt ?? null) !== null,
    stuck: ended ? null : await stuck(reader, run, troubleOf),
    filesChanged: ended ? await filesChanged(repository, run) : null,
  };
};

const stuck = async (
  reader: Reader,
  run: Run,
  troubleOf: (server: string) => string | undefined,
): Promise<string | null> => {
  const trouble = troubleOf(run.options.server);
  if (trouble) return trouble;
  const paused = await pausedWhole(reader, run);
  if (paused > 0)
    return `${counted(paused, 'paused agent')}. agent_continue lets ${paused === 1 ? 'it' : 'them'} go on.`;
  const open = await reader.jobs({ run: run.id, states: ['queued', 'running', 'parked'] });
  const parked = open.filter((job) => job.state === 'parked');
  // Steps may have servers of their own.
  const away = open.map((job) => (job.state === 'queued' && job.kind === 'turn' ? troubleOf(job.server) : undefined));
  if (away[0] !== undefined && away.every((one) => one !== undefined)) return away[0];
  if (parked.length === 0 || parked.length < open.length) return null;
  return `${counted(parked.length, 'parked job')}: ${parked[0]?.error ?? 'failed too often'}. run_resume lets them try again.`;
};

const filesChanged = async (repository: Repository, run: Run): Promise<number> =>
  run.headCommit === run.baseCommit ? 0 : (await repository.changes(run.baseCommit, run.headCommit)).length;

const NOTHING = { available: 0, reserved: 0, used: 0, granted: 0 };

/** Tokens of every agent with what its descendants used; agents must be in order of creation (parents first). */
const tokensByAgent = (agents: readonly Agent[], accounts: readonly Account[]): ReadonlyMap<string, TokensView> => {
  const own = new Map(accounts.map((account) => [account.id as string, account]));
  const subtree = new Map<string, number>();
  for (const agent of [...agents].reverse()) {
    const used = (own.get(agent.id)?.used ?? 0) + (subtree.get(agent.id) ?? 0);
    subtree.set(agent.id, used);
    if (agent.parent) subtree.set(agent.parent, (subtree.get(agent.parent) ?? 0) + used);
  }
  return new Map(
    agents.map((agent) => {
      const { available, reserved, used, granted } = own.get(agent.id) ?? NOTHING;
      return [agent.id, { available, reserved, used, granted, subtreeUsed: subtree.get(agent.id) ?? 0 }];
    }),
  );
};

/** `only` limits the result, not the sums. */
export const agentViews = async (
  reader: Reader,
  run: RunId,
  only?: ReadonlySet<AgentId>,
): Promise<readonly AgentView[]> => {
  const [agents, accounts, totals] = await Promise.all([
    reader.agents(run),
    reader.accounts(run),
    reader.turnTotals(run),
  ]);
  const tokens = tokensByAgent(agents, accounts);
  const wanted = only ? agents.filter((agent) => only.has(agent.id)) : agents;
  const views: AgentView[] = [];
  for (const agent of wanted) {
    const turns = totals.get(agent.id) ?? { turns: 0, sent: 0, cached: 0 };
    const question = agent.state === 'waiting' || agent.state === 'paused' ? await questionOf(reader, agent) : null;
    views.push(agentView(agent, tokens.get(agent.id) ?? { ...NOTHING, subtreeUsed: 0 }, turns, question));
  }
  return views;
};

const agentView = (
  agent: Agent,
  tokens: TokensView,
  turns: { turns: number; sent: number; cached: number },
  question: string | null,
): AgentView => ({
  agent: agent.id,
  run: agent.run,
  parent: agent.parent,
  name: agent.name,
  role: agent.role,
  tier: agent.tier,
  depth: agent.depth,
  task: agent.task,
  state: agent.state,
  action: agent.action,
  branch: agent.branch,
  commit: agent.headCommit === agent.baseCommit ? null : agent.headCommit,
  report: agent.report,
  error: agent.error,
  endReason: agent.endReason,
  createdAt: agent.createdAt,
  startedAt: agent.startedAt,
  endedAt: agent.endedAt,
  tokens,
  prompt: { sent: turns.sent, cached: turns.cached },
  turns: turns.turns,
  pausing: (agent.pause ?? null) !== null,
  question,
});

const questionOf = async (reader: Reader, agent: Agent): Promise<string | null> => {
  const asked = (await reader.calls(agent.id)).find((call) => call.state === 'waiting' && call.waitsFor === 'person');
  if (!asked) return null;
  return questionIn(asked.arguments);
};

const questionIn = (args: string): string => {
  try {
    const { question } = JSON.parse(args) as { question?: unknown };
    return typeof question === 'string' ? question : args;
  } catch {
    return args;
  }
};

export const accountViews = async (reader: Reader, run: Run): Promise<readonly AccountView[]> => {
  const [agents, accounts] = await Promise.all([reader.agents(run.id), reader.accounts(run.id)]);
  const tokens = tokensByAgent(agents, accounts);
  const pool = accounts.find((account) => account.id === run.id) ?? NOTHING;
  const used = accounts.reduce((n, account) => n + account.used, 0);
  const { available, reserved, granted } = pool;
  return [
    {
      account: run.id,
      parent: null,
      name: run.task,
      state: run.state,
      tokens: { available, reserved, used: pool.used, granted, subtreeUsed: used },
    },
    ...agents.map((agent) => ({
      account: agent.id,
      parent: agent.parent ?? run.id,
      name: agent.name,
      state: agent.state,
      tokens: tokens.get(agent.id) ?? { ...NOTHING, subtreeUsed: 0 },
    })),
  ];
};

const transcriptOf = async (reader: Reader, agent: Agent): Promise<readonly TranscriptEntry[]> => {
  const [turns, calls, delivered, inbox] = await Promise.all([
    reader.turns(agent.id),
    reader.calls(agent.id),
    reader.delivered(agent.id),
    reader.inbox(agent.id, 1000),
  ]);
  const entries: TranscriptEntry[] = [{ kind: 'task', text: agent.task, at: agent.createdAt }];
  for (const turn of turns) {
    entries.push(...delivered.filter((message) => message.turn === turn.id).map(messageEntry));
    entries.push(answerEntry(turn, calls));
  }
  return [...entries, ...inbox.map(messageEntry)];
};

const messageEntry = (message: { from: string; kind: string; body: string; createdAt: number }): TranscriptEntry => ({
  kind: 'message',
  from: message.from,
  messageKind: message.kind,
  text: message.body,
  at: message.createdAt,
});

const answerEntry = (turn: Turn, calls: readonly Call[]): TranscriptEntry => ({
  kind: 'answer',
  seq: turn.seq,
  turnKind: turn.kind,
  answer: turn.answer,
  usage: turn.usage,
  timings: turn.timings,
  commit: turn.commit,
  calls: calls
    .filter((call) => call.turn === turn.id)
    .map(({ tool, arguments: args, ok, output, state }) => ({ tool, arguments: args, ok, output, state })),
  at: turn.startedAt,
});

/** An agent with its whole conversation. */
export const transcriptView = async (
  reader: Reader,
  id: AgentId,
): Promise<{ agent: AgentView; entries: readonly TranscriptEntry[] }> => {
  const agent = await agentOf(reader, id);
  const [view] = await agentViews(reader, agent.run, new Set([id]));
  if (!view) throw new Error('An agent without a view.');
  return { agent: view, entries: await transcriptOf(reader, agent) };
};
