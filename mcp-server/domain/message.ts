import type { AgentId, MessageId, RunId, TurnId } from './ids.ts';

/** `answer`: what the person has decided of something that the agent wanted, in the engine's words. */
export type MessageKind = 'steer' | 'note' | 'report' | 'notice' | 'answer';

/** Something put in an agent's inbox. Delivered exactly once, into a turn. */
export interface Message {
  readonly id: MessageId;
  readonly run: RunId;
  readonly to: AgentId;
  /** `person`, `engine`, or the agent that sent it. */
  readonly from: AgentId | 'person' | 'engine';
  readonly kind: MessageKind;
  /** Higher first; then in order of arrival. A person's words and answers are 10, all others 0. */
  readonly priority: number;
  readonly body: string;
  readonly createdAt: number;
  /** The turn that it was delivered into. */
  readonly turn: TurnId | null;
}

/** Undelivered messages that an inbox holds; those of a person and of the engine, and reports, always fit. */
export const INBOX_BOUND = 100;

/** What a call waits for whose message finds no room. */
export type InboxOf = `inbox:${string}`;

export const inboxOf = (agent: AgentId): InboxOf => `inbox:${agent}`;

/** The agent whose inbox a call waits for; null: it waits for something else, or for nothing. */
export const agentOfInbox = (waitsFor: string | null): AgentId | null =>
  waitsFor?.startsWith('inbox:') ? (waitsFor.slice('inbox:'.length) as AgentId) : null;
