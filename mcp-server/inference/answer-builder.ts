import type { Answer, ToolCall, Usage } from '../domain/turn.ts';
import { isJsonObject } from './body.ts';

/** Characters of an answer's text, of its reasoning, and of all arguments together. */
const MAX_TEXT = 1_000_000;
const MAX_CALLS = 256;

/** What llama-server reports of its own work; ms and tokens. */
export interface ServerTimings {
  readonly cache_n?: number;
  readonly prompt_n?: number;
  readonly prompt_ms?: number;
  readonly predicted_n?: number;
  readonly predicted_ms?: number;
}

interface CallDelta {
  readonly index?: number;
  readonly id?: string;
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

interface Delta {
  readonly content?: string | null;
  readonly reasoning_content?: string | null;
  readonly reasoning?: string | null;
  readonly tool_calls?: readonly CallDelta[] | null;
}

/** One piece of a streamed answer. Every field may be missing: it is whatever a server sent. */
export interface ChatChunk {
  readonly choices?: readonly { readonly delta?: Delta | null; readonly finish_reason?: string | null }[];
  readonly usage?: {
    readonly prompt_tokens?: number;
    readonly completion_tokens?: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null;
  } | null;
  readonly timings?: ServerTimings;
  readonly prompt_progress?: { readonly total?: number; readonly cache?: number; readonly processed?: number };
  /** Only of a plain completion that asked for details. */
  readonly __verbose?: { readonly id_slot?: number };
  readonly error?: unknown;
}

interface OpenCall {
  id: string;
  name: string;
  arguments: string;
}

/** Puts a streamed answer together, and knows what it has cost so far. */
export class AnswerBuilder {
  readonly #calls = new Map<number, OpenCall>();
  #content = '';
  #reasoning = '';
  #argumentChars = 0;
  #finish: string | null = null;
  #pieces = 0;
  #usage: ChatChunk['usage'] = null;
  #timings: ServerTimings = {};
  #progress: { readonly cache?: number; readonly processed?: number } = {};

  /** False when the answer grew beyond its bounds. Throws a TypeError for a piece of another shape. */
  take(chunk: ChatChunk): boolean {
    if (chunk.usage) this.#usage = chunk.usage;
    if (chunk.timings) this.#timings = chunk.timings;
    if (chunk.prompt_progress) this.#progress = chunk.prompt_progress;
    const choice = chunk.choices?.[0];
    if (choice === undefined) return true;
    if (choice.finish_reason) this.#finish = choice.finish_reason;
    return choice.delta ? this.#takeDelta(choice.delta) : true;
  }

  /** True once the model has written anything. */
  get started(): boolean {
    return this.#pieces > 0;
  }

  /** What llama-server said about its own work; empty for other servers. */
  get timings(): ServerTimings {
    return this.#timings;
  }

  /**
   * As the server counted it; from its progress and the pieces that came where it has not counted yet. A prompt of 0 was
   * not counted at all.
   */
  usage(): Usage {
    const { cache_n: cacheN, prompt_n: promptN, predicted_n: predictedN } = this.#timings;
    const { cache, processed } = this.#progress;
    const usage = this.#usage;
    // A server may fill in zeros for what it does not count.
    return {
      prompt:
        count(usage?.prompt_tokens) || (promptN === undefined ? count(processed) : count(cacheN) + count(promptN)),
      completion: count(usage?.completion_tokens) || count(predictedN) || this.#pieces,
      cached: count(usage?.prompt_tokens_details?.cached_tokens ?? cacheN ?? cache),
    };
  }

  /** The whole answer; null when the server gave no reason for its end. */
  answer(): Answer | null {
    if (this.#finish === null) return null;
    const length = this.#finish === 'length';
    const all = this.#toolCalls();
    const broken = length ? all.findIndex((call) => !isJsonObject(call.arguments)) : -1;
    const toolCalls = broken < 0 ? all : all.slice(0, broken);
    const finish = length ? 'length' : toolCalls.length > 0 ? 'tool_calls' : 'stop';
    return { content: this.#content, reasoning: this.#reasoning, toolCalls, finish };
  }

  #takeDelta(delta: Delta): boolean {
    const reasoning = delta.reasoning_content ?? delta.reasoning;
    if (delta.content) this.#content += text(delta.content);
    if (reasoning) this.#reasoning += text(reasoning);
    for (const call of delta.tool_calls ?? []) this.#takeCall(call);
    if (delta.content || reasoning || delta.tool_calls?.length) this.#pieces += 1;
    return (
      this.#content.length <= MAX_TEXT &&
      this.#reasoning.length <= MAX_TEXT &&
      this.#argumentChars <= MAX_TEXT &&
      this.#calls.size <= MAX_CALLS
    );
  }

  /** Pieces of one call share its index. A server that sends none starts a new call with each new id. */
  #takeCall(delta: CallDelta): void {
    const last = this.#calls.size - 1;
    const startsNew = delta.id !== undefined && delta.id !== this.#calls.get(last)?.id;
    const index = delta.index ?? (last < 0 || startsNew ? last + 1 : last);
    let call = this.#calls.get(index);
    if (call === undefined) {
      call = { id: '', name: '', arguments: '' };
      this.#calls.set(index, call);
    }
    call.id ||= text(delta.id ?? '');
    call.name ||= text(delta.function?.name ?? '');
    const piece = text(delta.function?.arguments ?? '');
    call.arguments += piece;
    this.#argumentChars += piece.length;
  }

  /** In the order of their indices. An id that is missing or taken becomes `call_<n>`. */
  #toolCalls(): readonly ToolCall[] {
    const taken = new Set<string>();
    return [...this.#calls.entries()]
      .sort(([a], [b]) => a - b)
      .map(([, call], n) => {
        const id = call.id === '' || taken.has(call.id) ? `call_${n}` : call.id;
        taken.add(id);
        return { id, name: call.name, arguments: call.arguments };
      });
  }
}

const text = (value: unknown): string => {
  if (typeof value !== 'string') throw new TypeError('A piece of the answer is not text.');
  return value;
};

const count = (value: unknown): number => (typeof value === 'number' && value > 0 ? Math.floor(value) : 0);
