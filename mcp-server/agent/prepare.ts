import type { WrapUpWhy } from '../domain/agent.ts';
import type { TurnKind } from '../domain/turn.ts';
import type { ChatMessage, ChatRequest } from '../inference/port.ts';

/** Tokens, turns and characters that bound one agent. */
export interface AgentLimits {
  /** The longest answer that is asked for, tokens. */
  readonly answerTokens: number;
  /** Below this an answer is not worth a call. */
  readonly leastAnswerTokens: number;
  /** The longest last answer. */
  readonly wrapUpTokens: number;
  readonly turns: number;
  readonly outputChars: number;
}

export const DEFAULT_LIMITS: AgentLimits = {
  answerTokens: 4096,
  leastAnswerTokens: 256,
  wrapUpTokens: 700,
  turns: 60,
  outputChars: 8000,
};

/** Why a turn is the agent's last. */
export type WrapUp = 'budget' | 'cancel' | 'turn-limit' | WrapUpWhy;

export interface Draft {
  readonly request: ChatRequest;
  /** Tokens of the prompt that the server counted for the messages before `newFrom`; 0 when that is unknown. */
  readonly knownPrompt: number;
  readonly newFrom: number;
}

export interface Situation {
  /** Tokens that the account still holds. */
  readonly available: number;
  readonly contextSize: number;
  readonly turnsSoFar: number;
  readonly kind: 'normal' | 'plan';
  readonly wrapUp: WrapUp | null;
  readonly limits: AgentLimits;
  /** Builds the request; `cut` asks for the shortest form of old tool results. */
  draft(wrapUp: WrapUp | null, cut: boolean): Draft;
  /** An upper bound of the prompt tokens, without the server. */
  bound(request: ChatRequest): number;
  /** The server's own count; null when it cannot say. */
  count(request: ChatRequest): Promise<number | null>;
}

export type Prepared =
  | {
      readonly kind: 'call';
      readonly turn: TurnKind;
      readonly request: ChatRequest;
      /** Prompt bound and answer: what the call can cost at the most. */
      readonly reserve: number;
      readonly wrapUp: WrapUp | null;
      readonly cut: boolean;
    }
  /** Not even a last turn is possible; `wanted` is what the cheapest one would need, and `lacking` what is too small for it. */
  | { readonly kind: 'give-up'; readonly wanted: number; readonly lacking: 'budget' | 'context' };

const MESSAGE_SLACK = 16;

/** Bytes bound tokens from above: a byte-level tokenizer never makes more tokens than bytes. */
const messageBytes = (message: ChatMessage): number => {
  let bytes = MESSAGE_SLACK + Buffer.byteLength(message.content);
  if (message.role === 'assistant')
    for (const call of message.toolCalls)
      bytes += MESSAGE_SLACK * 2 + Buffer.byteLength(call.arguments) + call.name.length;
  return bytes;
};

const promptBound = (situation: Situation, draft: Draft): number => {
  if (draft.knownPrompt === 0) return situation.bound(draft.request);
  let bytes = draft.knownPrompt;
  for (const message of draft.request.messages.slice(draft.newFrom)) bytes += messageBytes(message);
  return bytes;
};

/** What a wrap-up after this turn would cost: every tool result cut to its stub. */
const wrapUpKeep = (messages: readonly ChatMessage[], limits: AgentLimits): number => {
  let bytes = 600 + limits.wrapUpTokens;
  for (const message of messages) bytes += message.role === 'tool' ? 120 : messageBytes(message);
  return bytes;
};

const fit = (situation: Situation, prompt: number, keep: number, most: number): number =>
  Math.min(most, situation.contextSize - prompt, situation.available - prompt - keep);

/**
 * Decides how an agent's next turn is asked for, so that it can never cost more than the account holds nor more than the
 * context, and so that a last turn can always still be paid for. Asks the server to count only near an edge.
 */
export const prepareTurn = async (situation: Situation): Promise<Prepared> => {
  const wrapUp = situation.wrapUp ?? (situation.turnsSoFar >= situation.limits.turns ? 'turn-limit' : null);
  if (!wrapUp) {
    const normal = await tryNormal(situation, false);
    if (normal) return normal;
    const shorter = situation.kind === 'plan' || situation.turnsSoFar === 0 ? null : await tryNormal(situation, true);
    if (shorter) return shorter;
  }
  return situation.kind === 'plan' ? noPlan(situation) : tryWrapUp(situation, wrapUp ?? 'budget');
};

/** Half a plan is none: a planner has no last turn. */
const noPlan = async (situation: Situation): Promise<Prepared> => {
  const { request } = situation.draft(null, false);
  const wanted = ((await situation.count(request)) ?? situation.bound(request)) + situation.limits.leastAnswerTokens;
  return giveUp(situation, wanted);
};

const giveUp = (situation: Situation, wanted: number): Prepared => ({
  kind: 'give-up',
  wanted,
  lacking: wanted > situation.contextSize ? 'context' : 'budget',
});

const tryNormal = async (situation: Situation, cut: boolean): Promise<Prepared | null> => {
  const { limits } = situation;
  const draft = situation.draft(null, cut);
  const asked = situation.kind === 'plan' ? draft.request.maxTokens : limits.answerTokens;
  const most = Math.min(asked, Math.floor(situation.contextSize / 2));
  let prompt = promptBound(situation, draft);
  const keep = situation.kind === 'plan' ? 0 : keepFor(situation, draft);
  let room = fit(situation, prompt, keep, most);
  if (room < most) {
    prompt = (await situation.count(draft.request)) ?? prompt;
    room = fit(situation, prompt, keep, most);
  }
  if (room < limits.leastAnswerTokens) return null;
  const request = { ...draft.request, maxTokens: room };
  return { kind: 'call', turn: situation.kind, request, reserve: prompt + room, wrapUp: null, cut };
};

/** Never more than half of what is there, so that a small budget still buys turns. */
const keepFor = (situation: Situation, draft: Draft): number =>
  Math.min(wrapUpKeep(draft.request.messages, situation.limits), Math.floor(situation.available / 2));

const tryWrapUp = async (situation: Situation, wrapUp: WrapUp): Promise<Prepared> => {
  let wanted = 0;
  for (const cut of [false, true]) {
    const draft = situation.draft(wrapUp, cut);
    let prompt = situation.bound(draft.request);
    const most = situation.limits.wrapUpTokens;
    let room = fit(situation, prompt, 0, most);
    if (room < most) {
      prompt = (await situation.count(draft.request)) ?? prompt;
      room = fit(situation, prompt, 0, most);
    }
    wanted = prompt + 64;
    if (room >= 64) {
      const request = { ...draft.request, maxTokens: room };
      return { kind: 'call', turn: 'wrap-up', request, reserve: prompt + room, wrapUp, cut };
    }
  }
  return giveUp(situation, wanted);
};
