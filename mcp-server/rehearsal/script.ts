import type { ToolCall } from '../domain/turn.ts';

/** One message of a chat request, its parts joined to plain text. */
export interface RehearsalMessage {
  readonly role: string;
  readonly content: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  /** The call that a `tool` message answers; empty otherwise. */
  readonly callId: string;
}

export interface OfferedTool {
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A chat request as the server understood it. */
export interface ParsedRequest {
  readonly messages: readonly RehearsalMessage[];
  /** What the model may call: empty under `tool_choice: "none"` and under a JSON schema, as on the real server. */
  readonly tools: readonly OfferedTool[];
  readonly toolChoice: 'auto' | 'none' | 'required';
  readonly jsonSchema: Readonly<Record<string, unknown>> | null;
  /** Null: as many as fit. */
  readonly maxTokens: number | null;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly returnProgress: boolean;
  /** Never stop by itself: the answer is filler up to the limit. */
  readonly ignoreEos: boolean;
  readonly temperature: number | null;
  readonly model: string | null;
  /** The first message when it is the system's, else empty. */
  readonly system: string;
  readonly firstUser: string;
  readonly lastUser: string;
  readonly lastTool: { readonly name: string; readonly callId: string; readonly content: string } | null;
  /** The body as it was sent. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** What can go wrong on purpose. Each leaves the slot free once the connection is closed. */
export type Fault =
  /** Takes a slot and says nothing until the client leaves. */
  | 'hang-before-headers'
  /** Half an answer, then silence until the client leaves. */
  | 'stall-mid-stream'
  /** Half an answer, then the body ends properly, but without `[DONE]`. */
  | 'cut-stream'
  /** The connection is reset before the headers. */
  | 'reset'
  /** Half an answer, then the connection is reset. */
  | 'reset-mid-stream'
  | 'error-500'
  /** 429 with `Retry-After` (see `retryAfterS`). */
  | 'rate-limited'
  /** A line that is not JSON in the stream; half a body when not streamed. */
  | 'malformed-json'
  /** `finish_reason: "length"` in the middle of a call's arguments. */
  | 'truncated-tool-call'
  /** A call of a tool that nobody offered. */
  | 'wrong-tool-name'
  /** One event of eight million characters. */
  | 'huge-line'
  /** Status 200, then an error inside the stream: the shared KV pool ran out. Not streamed: a 500. */
  | 'stream-error'
  | 'loading'
  | 'context-exceeded'
  | 'unauthorized';

/** An answer that a test dictates; what is left out is empty. */
export interface ScriptedAnswer {
  readonly content?: string;
  readonly reasoning?: string;
  readonly toolCalls?: readonly { readonly name: string; readonly arguments: object | string; readonly id?: string }[];
  /** Overrides `stop`, `tool_calls` or `length` as they would follow from the answer. */
  readonly finish?: 'stop' | 'tool_calls' | 'length';
  /** Milliseconds before the first token, instead of the server's latency. */
  readonly latencyMs?: number;
  /** Pretends that the prompt has this many tokens. */
  readonly promptTokens?: number;
  readonly fault?: Fault;
  /** Seconds, for `rate-limited`; 1 by default. */
  readonly retryAfterS?: number;
}

/** Called once for each chat request, in the order of arrival; `n` counts from 1. Undefined: the rules answer. */
export type Script = (request: ParsedRequest, n: number) => ScriptedAnswer | undefined;
