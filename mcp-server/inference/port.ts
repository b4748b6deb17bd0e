import type { Answer, Timings, Usage } from '../domain/turn.ts';

export type ChatMessage =
  | { readonly role: 'system' | 'user'; readonly content: string }
  | {
      readonly role: 'assistant';
      readonly content: string;
      readonly toolCalls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
    }
  | { readonly role: 'tool'; readonly callId: string; readonly content: string };

export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the input object. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
  /** Sorted by name. Empty: none are offered. */
  readonly tools: readonly ToolSpec[];
  readonly jsonSchema?: { readonly name: string; readonly schema: Readonly<Record<string, unknown>> };
  readonly maxTokens: number;
  readonly temperature: number;
}

/** Why a call gave no answer. */
export type ChatFailure =
  /** Refused connection, reset, cut or stalled stream, 429, 5xx that may pass. */
  | 'unreachable'
  | 'stalled'
  | 'overloaded'
  | 'loading'
  /** The prompt does not fit the slot. */
  | 'context-exceeded'
  /** The shared KV pool ran out: use fewer slots at once. */
  | 'pool-exhausted'
  /** 400, 401, 404 …: trying again cannot help. */
  | 'refused'
  /** The answer could not be parsed. */
  | 'malformed';

export type ChatOutcome =
  | { readonly kind: 'answered'; readonly answer: Answer; readonly usage: Usage; readonly timings: Timings }
  | {
      readonly kind: 'failed';
      readonly failure: ChatFailure;
      /** For people. */
      readonly message: string;
      readonly retryable: boolean;
      readonly retryAfterMs: number | null;
      /** Tokens that the server is known to have spent on it all the same. */
      readonly spent: Usage;
    }
  | { readonly kind: 'aborted'; readonly spent: Usage };

export interface ServerFacts {
  readonly url: string;
  readonly model: string;
  readonly totalSlots: number;
  /** Tokens that one slot holds: prompt and answer together. */
  readonly contextSize: number;
  readonly supportsTools: boolean;
  readonly build: string;
}

export interface SlotStatus {
  readonly total: number;
  /** Permits that this engine holds now. */
  readonly busy: number;
}

/** One inference server. */
export interface Endpoint {
  readonly url: string;
  /** Read from the server, kept until a call fails. Throws UserError `model-unreachable` or `model-refused`. */
  facts(signal?: AbortSignal): Promise<ServerFacts>;
  /** Known facts without asking the server. */
  knownFacts(): ServerFacts | null;
  /** Must not throw: failures are outcomes. Always streamed. The caller holds a permit. */
  chat(request: ChatRequest, signal: AbortSignal): Promise<ChatOutcome>;
  /** Exact prompt tokens of the request. Null when the server cannot say. */
  count(request: ChatRequest, signal: AbortSignal): Promise<number | null>;
  slots(): SlotStatus;
  /** A permit if one is free at once. Release it exactly once. */
  tryPermit(): (() => void) | null;
  /** Called each time a permit is released or more slots become known. Returns how to stop. */
  onFree(listener: () => void): () => void;
}
