import type { ParsedRequest, ScriptedAnswer } from '../script.ts';
import { acknowledgement, offers } from './conversation.ts';

/** A tool call that a rule wants to make. */
export interface Move {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export type Outcome = 'done' | 'whole' | 'nothing' | 'blocked';

/** Reports fit a last turn's small answer. */
const MAX_REPORT = 1500;

export const listFiles = (path: string): Move => ({ name: 'list_files', arguments: { path } });
export const readFile = (path: string, toLine?: number): Move => ({
  name: 'read_file',
  arguments: toLine === undefined ? { path } : { path, from_line: 1, to_line: toLine },
});
export const writeFile = (path: string, content: string): Move => ({
  name: 'write_file',
  arguments: { path, content },
});

export const make = (moves: readonly Move[], content = ''): ScriptedAnswer => ({ content, toolCalls: moves });

/** The last answer: through `finish` where it is offered and was not refused before, else in plain text. */
export const report = (request: ParsedRequest, text: string, outcome: Outcome): ScriptedAnswer => {
  const whole = `${acknowledgement(request)}${text}`;
  const short = whole.length <= MAX_REPORT ? whole : `${whole.slice(0, MAX_REPORT - 1)}…`;
  if (!offers(request, 'finish') || request.lastTool?.name === 'finish') return { content: short };
  return make([{ name: 'finish', arguments: { report: short, outcome } }]);
};
