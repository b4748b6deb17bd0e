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
  | {
      readonly kind: 'answered';
      readonly answer: Answer;
      /** The prompt is never 0: where the server did not count it, `count` did, or it is the upper bound. */
      readonly usage: Usage;
      readonly timings: Timings;
    }
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

/** What came of laying a common prefix into idle slots. It never costs a turn: whoever asked goes on all the same. */
export type ShareOutcome =
  | {
      readonly kind: 'shared';
      /** Slots that now hold the prefix. */
      readonly slots: number;
      /** Length of the prefix. */
      readonly tokens: number;
      /** Prompt tokens that were evaluated for it; 0 when a saved one was used again. */
      readonly evaluated: number;
    }
  /** Not on this server. Said without asking it again until it may have become another one. */
  | { readonly kind: 'unsupported'; readonly reason: string }
  /** Not this time. */
  | { readonly kind: 'failed'; readonly reason: string };

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
  /**
   * Lays what every request with this system message and these tools begins with into up to `copies` idle slots, so that
   * calls which start together do not each evaluate it. The caller holds one permit; up to `copies - 1` more are held
   * until it resolves. Must not throw.
   */
  share(request: Pick<ChatRequest, 'messages' | 'tools'>, copies: number, signal: AbortSignal): Promise<ShareOutcome>;
  /**
   * A vector for each text, all of one length, in the order of the texts; texts are cut at a bound. Null when the server
   * has none to give, now or at all, when no slot is free at once, or when `signal` aborts. A server that has refused is
   * left alone for some minutes. Must not throw. The caller holds no permit.
   */
  embed(texts: readonly string[], signal: AbortSignal): Promise<readonly (readonly number[])[] | null>;
  slots(): SlotStatus;
  /** A permit if one is free at once. Release it exactly once. */
  tryPermit(): (() => void) | null;
  /** Called each time a permit is released or more slots become known. Returns how to stop. */
  onFree(listener: () => void): () => void;
}
