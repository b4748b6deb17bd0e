import type { Readable, Writable } from 'node:stream';

/** The person's terminal, or whatever stands in for it. */
export interface Terminal {
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** stdout is a screen that can be drawn over. */
  readonly live: boolean;
  /** Somebody can type answers. */
  readonly canAsk: boolean;
  readonly color: boolean;
  size(): { readonly columns: number; readonly rows: number };
  /** One line, or several, on stdout. */
  print(text: string): void;
  /** One line, or several, on stderr. */
  warn(text: string): void;
  /** Calls at each Ctrl-C instead of ending the process. Returns how to stop. */
  onInterrupt(listener: () => void): () => void;
  /** Calls when the process is asked to end (SIGTERM, SIGHUP), instead of ending it at once. Returns how to stop. */
  onTerminate?(listener: () => void): () => void;
}

/** Text from a model, a file or a repository without anything that would command the terminal. */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '');

const WIDE =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\uff01-\uff60\u3000-\u303f]/u;
const ZERO = /\p{Mark}|\u200b|\u200d|\ufe0f/u;

const widthOf = (character: string): number => (ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1);

/** Columns that a text without escape sequences takes. */
export const displayWidth = (text: string): number => {
  let width = 0;
  for (const character of text) width += widthOf(character);
  return width;
};

/** Cuts to at most `columns`, with an ellipsis where something is missing. */
export const fit = (text: string, columns: number): string => {
  if (displayWidth(text) <= columns) return text;
  let width = 0;
  let kept = '';
  for (const character of text) {
    width += widthOf(character);
    if (width > columns - 1) break;
    kept += character;
  }
  return columns < 1 ? '' : `${kept}…`;
};

/** Tokens for people: 950, 12.3k, 1.2M. */
export const human = (tokens: number): string => {
  if (tokens < 1000) return String(tokens);
  if (tokens < 999_950) return `${(tokens / 1000).toFixed(tokens < 99_950 ? 1 : 0)}k`;
  return `${(tokens / 1e6).toFixed(1)}M`;
};

/** Durations for people: 0.8 s, 42 s, 3 min 5 s. */
export const duration = (ms: number): string => {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
};
