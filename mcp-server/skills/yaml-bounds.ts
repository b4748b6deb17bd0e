import { Lexer } from 'yaml';

/** Characters of front matter that are read as YAML; the format's own fields together come to an eighth of that. */
export const MOST_YAML_CHARS = 16 * 1024;
/**
 * Its parts: keys, values, punctuation, blanks, ends of lines, and backslashes in quotes. Each may be an error, which is what
 * costs the parser most.
 */
export const MOST_YAML_PARTS = 3000;

/** The parser slows down with the square of wrong lines. */
const MOST_YAML_LINES = 1000;
const DEEPEST = 100;

/** What of YAML may still be parsed of one file: its front matter as a whole, and once more entry by entry. */
export class YamlBounds {
  #chars = 2 * MOST_YAML_CHARS;
  #parts = 2 * MOST_YAML_PARTS;

  /** Parts of YAML that were let through to the parser so far. */
  get spent(): number {
    return 2 * MOST_YAML_PARTS - this.#parts;
  }

  /** Why the text is not to be parsed; null: it may be, and takes time in proportion to its length. */
  refuse(text: string): string | null {
    if (text.length > MOST_YAML_CHARS) return `it is longer than ${MOST_YAML_CHARS / 1024} KiB`;
    if (text.length > this.#chars) return 'too much stands above it';
    this.#chars -= text.length;
    if (text.split('\n').length > MOST_YAML_LINES) return `it has more than ${MOST_YAML_LINES} lines`;
    if (tooDeep(text)) return `it is nested more than ${DEEPEST} deep`;
    const parts = partsOf(text, MOST_YAML_PARTS + 1);
    if (parts > MOST_YAML_PARTS) return `it has more than ${MOST_YAML_PARTS} parts`;
    if (parts > this.#parts) return 'too much stands above it';
    this.#parts -= parts;
    return null;
  }
}

/** Counts up to `most`. */
const partsOf = (text: string, most: number): number => {
  let parts = text.split('\\').length - 1;
  if (parts >= most) return most;
  for (const _part of new Lexer().lex(text)) {
    parts += 1;
    if (parts === most) break;
  }
  return parts;
};

const tooDeep = (text: string): boolean => {
  let depth = 0;
  for (const char of text) {
    if (char === '[' || char === '{') depth += 1;
    else if (char === ']' || char === '}') depth = Math.max(0, depth - 1);
    if (depth > DEEPEST) return true;
  }
  return /^[ \t]{200}|^[ \t]*(?:[-?:][ \t]+){50}/m.test(text);
};
