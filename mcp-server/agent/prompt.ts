import { type Agent, cutShort } from '../domain/agent.ts';
import type { AgentId, TurnId } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';
import { type Run, reachOf } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import type { Call, Turn } from '../domain/turn.ts';
import type { ChatMessage } from '../inference/port.ts';
import { asData, quoted, taskText } from './data-text.ts';
import type { AgentLimits, WrapUp } from './prepare.ts';
import { replayCalls } from './replay.ts';
import { systemPrompt } from './roles.ts';

export { compactionPlan } from './compaction.ts';

/** Whoever a message comes from. */
type Author = Pick<Agent, 'name' | 'state'> & Partial<Pick<Agent, 'endReason'>>;

/** The rows that a prompt is made of; nothing else goes into it. */
export interface PromptInput {
  readonly agent: Agent;
  readonly run: Run;
  /** By sequence. Only those that are done and answered are shown. */
  readonly turns: readonly Turn[];
  readonly calls: readonly Call[];
  /** Messages that turns have taken in, in order of delivery. */
  readonly delivered: readonly Message[];
  /** Messages that the next turn takes in. */
  readonly pending: readonly Message[];
  /** The agents that messages come from. */
  readonly names: ReadonlyMap<AgentId, Author>;
  /** Set when the next turn is the last one. */
  readonly wrapUp: WrapUp | null;
  /** Turns with a lower sequence number show their results cut to a stub. */
  readonly compactedBefore: number;
  /** Tokens that one slot holds; bounds the reports of one turn together. */
  readonly contextSize?: number;
  /** Bounds one message. */
  readonly limits?: Pick<AgentLimits, 'outputChars'>;
}

const MESSAGE_CHARS = 8000;
/** Tokens, when the server's own number is not given. */
const DEFAULT_CONTEXT = 16_384;
/** A person's words are hardly ever cut. */
const PERSON_CHARS = 24_000;

const WRAP_UP: Readonly<Record<WrapUp, string>> = {
  budget: 'Your token budget is nearly used up. This is your last answer.',
  cancel: 'The person has asked you to stop. This is your last answer.',
  'turn-limit': 'You have had as many turns as an agent may have. This is your last answer.',
  timeout: 'Your time is over. This is your last answer.',
  caller: 'The agent above you has asked you to stop. This is your last answer.',
  'not-needed': 'Others have done enough: your work is not needed any more. This is your last answer.',
};

const PLACES: Readonly<Record<Agent['tier'], string>> = {
  planner: 'plans',
  executive: 'brings the work of all agents together',
  synthesizer: 'joins the work of the agents below',
  worker: 'does a part of the work',
};

/** Constant for the whole life of the agent: it begins every one of its prompts. */
const taskMessage = (agent: Agent, run: Run): string => {
  const whole = run.task.trim() === agent.task.trim() ? '' : `The whole task of the team is:\n${taskText(run.task)}`;
  const above = agent.parent === null ? 'the person' : 'the agent above you, whom you can write to as "parent"';
  const place = `You are "${oneLine(asData(agent.name), 60)}", on level ${agent.depth} of at most ${Math.max(agent.depth, reachOf(run.options))}: an agent that ${PLACES[agent.tier]}. Your report goes to ${above}.`;
  const branch =
    'Your copy of the repository holds what the agents before you have done. What you change is merged with the work of the others after your report.';
  const skills = (agent.skills ?? []).map((skill) => oneLine(asData(skill), 60)).join(', ');
  const told = skills && `Skills for your task, to be read before you begin: ${skills}.`;
  const parts = [`Your task:\n${taskText(agent.task)}`, whole, told, `${place} ${branch}`];
  return parts.filter(Boolean).join('\n\n');
};

/** An agent's name cannot be taken for the person or the engine. */
const nameOf = (from: AgentId, input: PromptInput): string => {
  const name = oneLine(asData(input.names.get(from)?.name ?? 'another agent').replace(/[:()]/g, ' '), 60);
  return /^the\s+(?:person|engine)\b/i.test(name) ? `agent ${name}` : name;
};

const endOf = (author: Author | undefined): string => {
  if (author?.state !== 'completed') return 'failed';
  return cutShort({ state: author.state, endReason: author.endReason ?? null }) === null ? 'completed' : 'incomplete';
};

const messageText = (message: Message, most: number, input: PromptInput): string => {
  if (message.from === 'person') return `Message from the person: ${quoted(message.body, PERSON_CHARS)}`;
  const body = quoted(message.body, most);
  if (message.from === 'engine') return `Notice from the engine: ${body}`;
  const name = nameOf(message.from, input);
  if (message.kind !== 'report') return `Message from ${name}: ${body}`;
  return `Report of ${name} (${endOf(input.names.get(message.from))}): ${body}`;
};

/** The messages that one turn takes in share the room; their number never changes, so neither does the text. */
const inboxMessages = (messages: readonly Message[], input: PromptInput): readonly ChatMessage[] => {
  const share = reportLimitChars(input.contextSize ?? DEFAULT_CONTEXT, messages.length);
  const most = Math.min(share, input.limits?.outputChars ?? MESSAGE_CHARS);
  return messages.map((message) => user(messageText(message, most, input)));
};

const noCallNote = (turn: Turn): string =>
  turn.answer?.finish === 'length'
    ? 'Your answer was too long and was cut; what it asked for was not done. Go on in smaller steps: one tool call at a time, and long files in pieces.'
    : 'You have called no tool. Go on with your task, or call finish with your report.';

const turnMessages = (turn: Turn, calls: readonly Call[], cut: boolean): readonly ChatMessage[] => {
  const replayed = replayCalls(turn, calls, cut);
  const content = asData(turn.answer?.content.trim() ?? '');
  const toolCalls = replayed.map(({ call }) => call);
  if (toolCalls.length === 0)
    return [
      { role: 'assistant', content: content || '(no answer)', toolCalls },
      { role: 'user', content: noCallNote(turn) },
    ];
  return [
    { role: 'assistant', content, toolCalls },
    ...replayed.map(({ call, result }) => ({ role: 'tool', callId: call.id, content: result }) as const),
  ];
};

/** Strict templates refuse two user messages in a row. */
export const joinUsers = (messages: readonly ChatMessage[]): ChatMessage[] => {
  const joined: ChatMessage[] = [];
  for (const message of messages) {
    const last = joined.at(-1);
    if (message.role === 'user' && last?.role === 'user')
      joined[joined.length - 1] = { role: 'user', content: `${last.content}\n\n${message.content}` };
    else joined.push(message);
  }
  return joined;
};

const user = (content: string): ChatMessage => ({ role: 'user', content });

const byTurn = <T extends { readonly turn: TurnId | null }>(
  rows: readonly T[],
): ReadonlyMap<TurnId | null, readonly T[]> => Map.groupBy(rows, (row) => row.turn);

/**
 * The prompt of an agent's next turn. For one agent it only ever grows at its end, so that the server's cache stays hot;
 * only a higher `compactedBefore` and a wrap-up change that. Nobody's text can pose as the engine's or the person's.
 */
export const buildMessages = (input: PromptInput): ChatMessage[] => {
  const { agent, run } = input;
  const calls = byTurn(input.calls);
  const delivered = byTurn(input.delivered);
  const messages: ChatMessage[] = [
    { role: 'system', content: systemPrompt({ agent, run }) },
    user(taskMessage(agent, run)),
  ];
  for (const turn of input.turns) {
    if (turn.state !== 'done') continue;
    messages.push(...inboxMessages(delivered.get(turn.id) ?? [], input));
    if (turn.answer) messages.push(...turnMessages(turn, calls.get(turn.id) ?? [], turn.seq < input.compactedBefore));
  }
  messages.push(...inboxMessages(input.pending, input));
  if (input.wrapUp)
    messages.push(
      user(
        `${WRAP_UP[input.wrapUp]} Call finish now with a report of what you have done and what is left open; with outcome "whole" only if nothing of your task is left.`,
      ),
    );
  return joinUsers(messages);
};

/** Characters that a report may have, so that `reports` of them leave half of the reader's context free. */
export const reportLimitChars = (contextSize: number, reports: number): number =>
  Math.max(400, Math.min(MESSAGE_CHARS, Math.floor((contextSize * 0.5 * 3) / Math.max(1, reports))));
