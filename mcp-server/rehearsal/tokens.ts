/** A stretch of a prompt that always appears whole (one rendered message), with its tokens. */
export interface Segment {
  readonly text: string;
  readonly tokens: Int32Array;
}

/** Ids are hashes below this bound: two different pieces share one about once in a million. */
export const VOCABULARY = 1 << 20;

const SPECIAL = /<\|[a-z_]{1,24}\|>|<\/?(?:tool_call|tool_response|think)>/y;
const MAX_WORD = 7;
const MAX_DIGITS = 3;
const MAX_SPACES = 16;
const MAX_MARKS = 3;

const isLetter = (code: number): boolean => (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);
const isMark = (code: number): boolean =>
  code < 128 && code !== 60 && !isLetter(code) && !isDigit(code) && !isSpace(code);

const run = (text: string, from: number, max: number, belongs: (code: number) => boolean): number => {
  const limit = Math.min(text.length, from + max);
  let at = from;
  while (at < limit && belongs(text.charCodeAt(at))) at++;
  return at;
};

const afterSpecial = (text: string, at: number): number => {
  SPECIAL.lastIndex = at;
  return SPECIAL.test(text) ? SPECIAL.lastIndex : at + 1;
};

/** Where the piece that starts at `at` ends. Pieces are never empty and never shorter than one UTF-8 byte. */
export const pieceEnd = (text: string, at: number): number => {
  const code = text.charCodeAt(at);
  if (code === 32 && isLetter(text.charCodeAt(at + 1))) return run(text, at + 1, MAX_WORD, isLetter);
  if (isLetter(code)) return run(text, at, MAX_WORD, isLetter);
  if (isSpace(code)) return run(text, at, MAX_SPACES, (other) => other === code);
  if (isDigit(code)) return run(text, at, MAX_DIGITS, isDigit);
  if (code === 60) return afterSpecial(text, at);
  if (code < 128) return run(text, at, MAX_MARKS, isMark);
  const pair = code >= 0xd800 && code <= 0xdbff && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
  return at + (pair ? 2 : 1);
};

const hash = (text: string, from: number, to: number): number => {
  let value = 0x811c9dc5;
  for (let at = from; at < to; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return (value ^ (value >>> 15)) & (VOCABULARY - 1);
};

/** Splits into words, numbers, runs of space, marks and special tokens: about four characters each. */
export const tokenize = (text: string): Int32Array => {
  const tokens: number[] = [];
  for (let at = 0; at < text.length; ) {
    const end = pieceEnd(text, at);
    tokens.push(hash(text, at, end));
    at = end;
  }
  return Int32Array.from(tokens);
};

/** Cuts the text after at most `max` pieces. */
export const takeTokens = (text: string, max: number): { readonly text: string; readonly count: number } => {
  let at = 0;
  let count = 0;
  for (; count < max && at < text.length; count++) at = pieceEnd(text, at);
  return { text: at < text.length ? text.slice(0, at) : text, count };
};

const sharedTokens = (a: Int32Array, b: Int32Array): number => {
  const limit = Math.min(a.length, b.length);
  let at = 0;
  while (at < limit && a[at] === b[at]) at++;
  return at;
};

/** Tokens that both sequences start with, wherever their segments end. */
export const sharedPrefix = (a: readonly Segment[], b: readonly Segment[]): number => {
  let whole = 0;
  let total = 0;
  for (; whole < a.length && a[whole] === b[whole]; whole++) total += (a[whole] as Segment).tokens.length;
  const left = { segments: a, at: whole, from: 0 };
  const right = { segments: b, at: whole, from: 0 };
  for (;;) {
    const one = rest(left);
    const other = rest(right);
    if (!one || !other) return total;
    const shared = sharedTokens(one, other);
    total += shared;
    left.from += shared;
    right.from += shared;
    if (shared < one.length && shared < other.length) return total;
  }
};

interface Place {
  readonly segments: readonly Segment[];
  at: number;
  from: number;
}

/** What is left of the place's segment, or the next one that is not empty; undefined at the end. */
const rest = (place: Place): Int32Array | undefined => {
  for (let segment = place.segments[place.at]; segment; segment = place.segments[++place.at]) {
    if (place.from < segment.tokens.length) return segment.tokens.subarray(place.from);
    place.from = 0;
  }
  return undefined;
};

export const countTokens = (segments: readonly Segment[]): number =>
  segments.reduce((sum, segment) => sum + segment.tokens.length, 0);

/**
 * Remembers rendered messages, so that a growing conversation is tokenised once. Bounded: when the young half is full
 * the old half is forgotten.
 */
export class SegmentCache {
  readonly #maxChars: number;
  #young = new Map<string, Map<string, Segment>>();
  #old = new Map<string, Map<string, Segment>>();
  #chars = 0;

  constructor(maxChars = 32_000_000) {
    this.#maxChars = maxChars;
  }

  /** `kind` and `key` together name the rendering. */
  get(kind: string, key: string, render: () => string): Segment {
    const known = this.#young.get(kind)?.get(key);
    if (known) return known;
    const segment = this.#old.get(kind)?.get(key) ?? this.#make(render());
    this.#remember(kind, key, segment);
    return segment;
  }

  #make(text: string): Segment {
    return { text, tokens: tokenize(text) };
  }

  #remember(kind: string, key: string, segment: Segment): void {
    this.#chars += key.length + segment.text.length;
    if (this.#chars > this.#maxChars / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#chars = key.length + segment.text.length;
    }
    const kinds = this.#young.get(kind) ?? new Map<string, Segment>();
    if (kinds.size === 0) this.#young.set(kind, kinds);
    kinds.set(key, segment);
  }
}
