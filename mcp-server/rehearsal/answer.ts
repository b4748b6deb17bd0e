import type { ToolCall } from '../domain/turn.ts';
import { sampleOf } from './schema.ts';
import type { OfferedTool, ParsedRequest, ScriptedAnswer } from './script.ts';
import { takeTokens } from './tokens.ts';

/** One chunk's `delta` and the tokens that it stands for. */
export interface Delta {
  readonly delta: Readonly<Record<string, unknown>>;
  readonly tokens: number;
}

/** An answer cut to its limit: what is streamed, and the same as a whole. */
export interface Composed {
  readonly deltas: readonly Delta[];
  readonly reasoning: string;
  readonly content: string;
  readonly toolCalls: readonly ToolCall[];
  readonly finish: 'stop' | 'tool_calls' | 'length';
  /** Tokens of everything above, with the one that ends the turn. */
  readonly tokens: number;
}

export interface ComposeOptions {
  /** Tokens that may be generated, at least 1. */
  readonly limit: number;
  /** Tokens in one chunk, at least 1. */
  readonly chunkTokens: number;
  /** Calls get the ids `<idBase>_0`, `<idBase>_1` … */
  readonly idBase: string;
}

/** Every call costs its name and three tokens for its frame. */
const FRAME_TOKENS = 3;

class Composer {
  readonly #deltas: Delta[] = [];
  readonly #options: ComposeOptions;
  #left: number;

  constructor(options: ComposeOptions) {
    this.#options = options;
    this.#left = options.limit;
  }

  get deltas(): readonly Delta[] {
    return this.#deltas;
  }

  get left(): number {
    return this.#left;
  }

  /** Emits as much of the text as the limit allows, and returns that. */
  text(text: string, toDelta: (piece: string, first: boolean) => Record<string, unknown>): string {
    let sent = 0;
    while (sent < text.length && this.#left > 0) {
      const piece = takeTokens(text.slice(sent), Math.min(this.#options.chunkTokens, this.#left));
      this.#emit(toDelta(piece.text, sent === 0), piece.count);
      sent += piece.text.length;
    }
    return sent === text.length ? text : text.slice(0, sent);
  }

  call(call: ToolCall, index: number): ToolCall | null {
    const cost = FRAME_TOKENS + takeTokens(call.name, 1000).count;
    if (this.#left <= cost) {
      this.#left = 0;
      return null;
    }
    this.#left -= cost;
    const opening = { index, id: call.id, type: 'function' };
    const args = this.text(call.arguments, (piece, first) => ({
      tool_calls: [
        first
          ? { ...opening, function: { name: call.name, arguments: piece } }
          : { index, function: { arguments: piece } },
      ],
    }));
    if (call.arguments === '')
      this.#emit({ tool_calls: [{ ...opening, function: { name: call.name, arguments: '' } }] }, 0);
    return { ...call, arguments: args };
  }

  #emit(delta: Record<string, unknown>, tokens: number): void {
    this.#left -= tokens;
    this.#deltas.push({ delta, tokens });
  }
}

/** Cuts the answer at the limit the way a server does: anywhere, also in the middle of a call's arguments. */
export const compose = (answer: ScriptedAnswer, options: ComposeOptions): Composed => {
  const composer = new Composer(options);
  const reasoning = composer.text(answer.reasoning ?? '', (piece) => ({ reasoning_content: piece }));
  const content = composer.text(answer.content ?? '', (piece) => ({ content: piece }));
  const calls: ToolCall[] = [];
  for (const [index, wanted] of (answer.toolCalls ?? []).entries()) {
    const args = typeof wanted.arguments === 'string' ? wanted.arguments : JSON.stringify(wanted.arguments);
    const made = { id: wanted.id ?? `${options.idBase}_${index}`, name: wanted.name, arguments: args };
    const call = composer.left > 0 ? composer.call(made, index) : null;
    if (call) calls.push(call);
  }
  const whole = composer.left > 0;
  return {
    deltas: composer.deltas,
    reasoning,
    content,
    toolCalls: calls,
    finish: answer.finish ?? (whole ? (calls.length > 0 ? 'tool_calls' : 'stop') : 'length'),
    tokens: options.limit - composer.left + (whole ? 1 : 0),
  };
};

const anyCall = (tool: OfferedTool | undefined): { name: string; arguments: object } => ({
  name: tool?.name ?? 'read_file',
  arguments: tool ? (sampleOf(tool.parameters) as object) : { path: 'README.md' },
});

/** Gives the faults that live inside an answer (a cut call, an unknown tool, a huge line) something to be wrong with. */
export const withFault = (answer: ScriptedAnswer, request: ParsedRequest): ScriptedAnswer => {
  const call = answer.toolCalls?.[0] ?? anyCall(request.tools[0]);
  if (answer.fault === 'wrong-tool-name') return { ...answer, toolCalls: [{ ...call, name: 'no_such_tool' }] };
  if (answer.fault === 'truncated-tool-call') {
    const args = typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments);
    const half = args.slice(0, Math.max(1, Math.floor(args.length / 2)));
    return { ...answer, toolCalls: [{ ...call, arguments: half }], finish: 'length' };
  }
  return answer;
};

/** Text of exactly `tokens` tokens, for requests that must not stop by themselves. */
export const filler = (tokens: number): ScriptedAnswer => ({
  content: `rules${' rules'.repeat(Math.max(0, tokens - 1))}`,
});
