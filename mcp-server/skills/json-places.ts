import { spanBetween, type TextSpan } from './text-span.ts';

type Path = readonly (string | number)[];

/** Where things stand in a JSON text. */
export interface JsonPlaces {
  /** The first thing that JSON does not allow, in words without a full stop; null: there is none. */
  readonly fault: { readonly at: TextSpan; readonly message: string } | null;
  /** Of values and keys at most three levels deep; undefined: there is none, or it stands behind the fault. */
  readonly valueAt: (path: Path) => TextSpan | undefined;
  readonly keyAt: (path: Path) => TextSpan | undefined;
}

/** Reads a JSON text only for its places. Never throws, and takes time in proportion to the length. */
export const placesInJson = (text: string): JsonPlaces => {
  const { fault, keys, values } = new Scanner(text);
  const spanOf = (range: Range | undefined): TextSpan | undefined => range && spanBetween(text, range.start, range.end);
  return {
    fault: fault && { at: spanBetween(text, fault.start, fault.end), message: fault.message },
    valueAt: (path) => spanOf(values.get(JSON.stringify(path))),
    keyAt: (path) => spanOf(keys.get(JSON.stringify(path))),
  };
};

interface Range {
  readonly start: number;
  readonly end: number;
}

interface Token extends Range {
  readonly kind: 'text' | 'plain' | 'sign' | 'wrong' | 'end';
  readonly text: string;
}

const SPACE = /[ \t\r\n]*/y;
const TEXT = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const PLAIN = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const SIGN = /[[\]{}:,]/y;
const WRONG = /"[^\r\n]*|[^\s,:[\]{}]+|./suy;

const KEPT_LEVELS = 3;
const DEEPEST = 200;

/** One pass from the front to the first fault. */
class Scanner {
  readonly #text: string;
  #at = 0;
  readonly keys = new Map<string, Range>();
  readonly values = new Map<string, Range>();
  fault: (Range & { readonly message: string }) | null = null;

  constructor(text: string) {
    this.#text = text;
    if (!this.#value([])) return;
    const rest = this.#next();
    if (rest.kind !== 'end') this.#fail(rest, 'nothing may follow here');
  }

  #value(path: Path): boolean {
    const token = this.#next();
    if (token.kind === 'text' || token.kind === 'plain') return this.#keep(path, token);
    if (path.length > DEEPEST) return this.#fail(token, 'this is nested too deep');
    if (token.text === '{') return this.#items(path, token, '}');
    if (token.text === '[') return this.#items(path, token, ']');
    if (token.kind === 'wrong' && token.text.startsWith('"'))
      return this.#fail(token, 'this text has no end, or holds what must be written with a backslash');
    return this.#fail(token, 'a value is expected here');
  }

  #items(path: Path, open: Token, close: ']' | '}'): boolean {
    let comma: Token | undefined;
    for (let index = 0; ; index += 1) {
      const before = this.#at;
      const token = this.#next();
      if (token.text === close && token.kind === 'sign') {
        if (comma) return this.#fail(comma, 'there is a comma too many');
        return this.#keep(path, { start: open.start, end: token.end });
      }
      this.#at = before;
      if (!(close === '}' ? this.#entry(path) : this.#value([...path, index]))) return false;
      const next = this.#next();
      if (next.text === close) return this.#keep(path, { start: open.start, end: next.end });
      if (next.text !== ',') return this.#fail(next, `a comma or ${close} is expected here`);
      comma = next;
    }
  }

  #entry(path: Path): boolean {
    const key = this.#next();
    if (key.kind !== 'text') return this.#fail(key, 'a key in double quotes is expected here');
    const below = [...path, JSON.parse(key.text) as string];
    if (below.length <= KEPT_LEVELS) this.keys.set(JSON.stringify(below), key);
    const colon = this.#next();
    return colon.text === ':' ? this.#value(below) : this.#fail(colon, 'a colon is expected here');
  }

  #keep(path: Path, { start, end }: Range): true {
    if (path.length <= KEPT_LEVELS) this.values.set(JSON.stringify(path), { start, end });
    return true;
  }

  /** Of a text that ends too early the last thing that is there is shown. */
  #fail({ kind, start, end }: Token, message: string): false {
    const length = this.#text.trimEnd().length;
    this.fault =
      kind === 'end'
        ? { start: Math.max(0, length - 1), end: length, message: `the text ends too early: ${message}` }
        : { start, end, message };
    return false;
  }

  #next(): Token {
    this.#match(SPACE);
    const start = this.#at;
    const rules = [
      ['text', TEXT],
      ['plain', PLAIN],
      ['sign', SIGN],
      ['wrong', WRONG],
    ] as const;
    for (const [kind, rule] of rules) {
      const text = this.#match(rule);
      if (text !== undefined) return { kind, text, start, end: this.#at };
    }
    return { kind: 'end', text: '', start, end: start };
  }

  #match(rule: RegExp): string | undefined {
    rule.lastIndex = this.#at;
    const text = rule.exec(this.#text)?.[0];
    if (text !== undefined) this.#at += text.length;
    return text;
  }
}
