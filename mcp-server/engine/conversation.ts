import type { AgentLimits, Draft, WrapUp } from '../agent/prepare.ts';
import { buildMessages, compactionPlan, joinUsers } from '../agent/prompt.ts';
import { offeredTools, toSpec } from '../agent/tools/tools.ts';
import type { Agent } from '../domain/agent.ts';
import type { AgentId } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';
import { planningOf, type Run } from '../domain/run.ts';
import type { Call, Turn } from '../domain/turn.ts';
import type { ChatMessage, ChatRequest } from '../inference/port.ts';
import { type PlanOffer, planningMessages, planSchema } from '../planning/plan-prompt.ts';
import { chooseStrategy } from '../planning/strategies/choose.ts';
import type { Reader } from '../store/port.ts';
import { planScope } from './plan-scope.ts';

/** The rows that an agent's prompt is made of. */
export interface Conversation {
  readonly run: Run;
  readonly agent: Agent;
  readonly turns: readonly Turn[];
  readonly calls: readonly Call[];
  readonly delivered: readonly Message[];
  readonly pending: readonly Message[];
  /** Names of agents that the messages come from. */
  readonly names: ReadonlyMap<AgentId, Agent>;
  /** What a planner plans; for anybody else, the run. */
  readonly scope: Run;
  /** Only for a planner. */
  readonly digest: string;
}

/** Messages that one turn takes in at the most; the rest wait for the next. */
const MESSAGES_A_TURN = 40;

export const loadConversation = async (
  reader: Reader,
  run: Run,
  agent: Agent,
  digest: string,
): Promise<Conversation> => {
  const [turns, pending] = await Promise.all([reader.turns(agent.id), reader.inbox(agent.id, MESSAGES_A_TURN)]);
  const started = turns.length > 0;
  const [calls, delivered] = started
    ? await Promise.all([reader.calls(agent.id), reader.delivered(agent.id)])
    : [[], []];
  const senders = new Set(
    [...delivered, ...pending].map((m) => m.from).filter((from) => from !== 'person' && from !== 'engine'),
  );
  const names = new Map<AgentId, Agent>();
  for (const id of senders) {
    const sender = await reader.agent(id as AgentId);
    if (sender) names.set(sender.id, sender);
  }
  const scope = agent.tier === 'planner' ? await planScope(reader, run, agent) : run;
  return { run, agent, turns, calls, delivered, pending, names, scope, digest };
};

/** What bounds a prompt: the settings of agents, and the tokens that a slot of the server holds. */
export interface PromptBounds {
  readonly limits: AgentLimits;
  readonly contextSize: number;
}

/** Builds the request for the agent's next turn; `maxTokens` is set by whoever knows the budget. */
export const draftRequest = (c: Conversation, bounds: PromptBounds, wrapUp: WrapUp | null, cut: boolean): Draft => {
  const { limits } = bounds;
  const { agent } = c;
  if (agent.tier === 'planner') return planDraft(c);
  const compactedBefore = cut ? shortest(c, wrapUp) : agent.compactedBefore;
  const messages = buildMessages({ ...c, ...bounds, wrapUp, compactedBefore });
  const offered = offeredTools(c).filter((tool) => !wrapUp || tool.name === 'finish');
  const request: ChatRequest = {
    messages,
    tools: offered.map(toSpec),
    maxTokens: limits.answerTokens,
    temperature: agent.temperature,
  };
  return { request, ...known(c, request, wrapUp !== null || cut) };
};

/** Old results are cut up to the last two turns; in a last turn, all of them. */
export const shortest = (c: Conversation, wrapUp: WrapUp | null): number => {
  const last = c.turns.at(-1)?.seq ?? 0;
  return wrapUp ? last + 1 : Math.max(c.agent.compactedBefore, compactionPlan(c) ?? 0);
};

/** What the server counted at the last turn covers everything before its assistant message. */
const known = (
  c: Conversation,
  request: ChatRequest,
  prefixBroken: boolean,
): Pick<Draft, 'knownPrompt' | 'newFrom'> => {
  const last = c.turns.at(-1);
  const newFrom = request.messages.findLastIndex((message) => message.role === 'assistant');
  if (prefixBroken || !last?.usage || newFrom < 0 || last.kind !== 'normal') return { knownPrompt: 0, newFrom: 0 };
  return { knownPrompt: last.usage.prompt, newFrom };
};

/** Steps at the most that a plan may have: what the run's limits leave for workers is the fork-join's to see. */
export const mostSteps = (run: Pick<Run, 'options'>): number => Math.max(1, run.options.maxAgents - 1);

/** The longest answer of a planner, tokens: a model writes a step in about fifty. */
export const planAnswerTokens = (run: Pick<Run, 'options'>): number => Math.max(4096, mostSteps(run) * 80);

/** What the planner of a run may choose from. */
export const planOffer = (run: Run): PlanOffer => ({
  strategy: chooseStrategy(run.task, planningOf(run.options).domain).strategy,
  permissions: run.options.permissions,
  pattern: planningOf(run.options).pattern === null,
  skills: skillNames(run),
});

/** The skills that steps may be given: those that the person has pinned. */
export const skillNames = ({ options }: Pick<Run, 'options'>): readonly string[] =>
  (options.skills?.pinned ?? []).map(({ name }) => name);

/** What a planner plans. A person who writes to it may ask for any number of steps. */
export const asAskedFor = ({ scope, delivered, pending }: Conversation): Run => {
  if (![...delivered, ...pending].some(({ from }) => from === 'person')) return scope;
  const { team: _team, ...options } = scope.options;
  return { ...scope, options };
};

/** Steps that a planner may make. */
const stepsFor = (scope: Run): number =>
  Math.min(mostSteps(scope), scope.options.team?.most ?? Number.POSITIVE_INFINITY);

const planDraft = (c: Conversation): Draft => {
  const { task, options } = c.scope;
  const offer = planOffer(c.scope);
  const { workers } = planningOf(options);
  const asked = { maxSteps: stepsFor(c.scope), workers, team: options.team ?? null };
  // Whatever has been written since, the beginning stays as it was.
  const first = planningMessages({ task, digest: c.digest, ...asked, ...offer });
  const messages = [
    ...first,
    ...c.turns.flatMap((turn) => plannerTurn(turn, c.delivered)),
    ...c.pending.map(plannerNote),
  ];
  const request: ChatRequest = {
    messages: joinUsers(messages),
    tools: [],
    jsonSchema: { name: 'plan', schema: planSchema(stepsFor(asAskedFor(c)), offer) },
    maxTokens: planAnswerTokens(c.scope),
    temperature: c.agent.temperature,
  };
  return { request, knownPrompt: 0, newFrom: 0 };
};

const plannerTurn = (turn: Turn, delivered: readonly Message[]): readonly ChatMessage[] => [
  ...delivered.filter((message) => message.turn === turn.id).map(plannerNote),
  ...(turn.answer ? [{ role: 'assistant' as const, content: turn.answer.content, toolCalls: [] }] : []),
];

const plannerNote = ({ from, body }: Message): ChatMessage => ({
  role: 'user',
  content:
    from === 'person'
      ? `Message from the person: ${body}\nWrite the whole plan so that it follows this, also where it speaks of another number of steps.`
      : body,
});
