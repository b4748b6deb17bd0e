import { createContext, Script } from 'node:vm';
import { z } from 'zod';
import { UserError } from '../../domain/errors.ts';
import { counted, oneLine, truncate } from '../../domain/text.ts';
import type { Tree } from '../../worktrees/port.ts';
import { defineTool } from '../tool.ts';
import { plainPath } from './paths.ts';

const MOST_FILES = 5000;
const MOST_RESULTS = 200;
const LINE_CHARS = 2000;
const SHOWN_CHARS = 200;
/** Time that matching alone may take in one search, ms. It blocks the process, so it is short. */
const MATCHING_MS = 500;
const AT_ONCE = 16;

/** The pattern as a regular expression, or as plain text when it is none. */
const toExpression = (
  pattern: string,
): { readonly source: string; readonly flags: string; readonly literal: boolean } => {
  const caseless = pattern.startsWith('(?i)');
  const source = caseless ? pattern.slice(4) : pattern;
  const flags = caseless ? 'i' : '';
  try {
    void new RegExp(source, flags);
    return { source, flags, literal: false };
  } catch {
    return { source: pattern.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), flags: '', literal: true };
  }
};

const SCRIPT = new Script(
  '{ const r = new RegExp(source, flags); hits = []; for (let i = 0; i < lines.length && hits.length < most; i++) if (r.test(lines[i])) hits.push(i); }',
);

/** Line numbers (from 0) that match, or null when the time was over: some patterns take for ever on some lines. */
type Match = (lines: readonly string[], most: number) => readonly number[] | null;

const matcher = (expression: { readonly source: string; readonly flags: string }): Match => {
  const scope = { ...expression, lines: [] as readonly string[], most: 0, hits: [] as number[] };
  const context = createContext(scope, { codeGeneration: { strings: false, wasm: false } });
  let left = MATCHING_MS;
  return (lines, most) => {
    scope.lines = lines.map((line) => line.slice(0, LINE_CHARS));
    scope.most = most;
    const start = performance.now();
    try {
      SCRIPT.runInContext(context, { timeout: Math.max(1, Math.ceil(left)) });
      return [...scope.hits];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return null;
      throw error;
    } finally {
      left -= performance.now() - start;
    }
  };
};

const readOrSkip = async (tree: Tree, file: string): Promise<string | null> => {
  try {
    return await tree.read(file);
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
};

interface Found {
  readonly lines: readonly string[];
  readonly searched: number;
  readonly stopped: 'enough' | 'slow' | null;
}

const searchTree = async (
  tree: Tree,
  files: readonly string[],
  match: Match,
  most: number,
  signal: AbortSignal,
): Promise<Found> => {
  const lines: string[] = [];
  for (let start = 0; start < files.length; start += AT_ONCE) {
    signal.throwIfAborted();
    const batch = files.slice(start, start + AT_ONCE);
    const texts = await Promise.all(batch.map((file) => readOrSkip(tree, file)));
    for (const [index, text] of texts.entries()) {
      if (text === null) continue;
      const content = text.split(/\r?\n/);
      const hits = match(content, most - lines.length);
      if (!hits) return { lines, searched: start + index, stopped: 'slow' };
      for (const hit of hits) lines.push(`${batch[index]}:${hit + 1}: ${oneLine(content[hit] ?? '', SHOWN_CHARS)}`);
      if (lines.length >= most) return { lines, searched: start + index + 1, stopped: 'enough' };
    }
  }
  return { lines, searched: files.length, stopped: null };
};

const notes = (found: Found, total: number, literal: boolean): readonly string[] => [
  ...(literal ? ['(The pattern is no valid regular expression; it was searched for as plain text.)'] : []),
  ...(found.stopped === 'enough'
    ? ['(There may be more; give a path, a sharper pattern, or a higher max_results.)']
    : []),
  ...(found.stopped === 'slow'
    ? [`(Stopped after ${counted(found.searched, 'file')}: the pattern is too slow. Use a simpler one.)`]
    : []),
  ...(total > MOST_FILES ? [`(Only the first ${MOST_FILES} of ${total} files were searched; give a path.)`] : []),
];

export const searchFiles = defineTool({
  name: 'search_files',
  harmless: true,
  description: 'Search the text of files with a regular expression. Answers with lines "path:line: text".',
  input: z.object({
    pattern: z.string().min(1).max(500).describe('JavaScript regular expression, matched line by line'),
    path: z.string().optional().describe('folder or file to search; the whole repository without it'),
    max_results: z.int().optional().describe('50 without it'),
  }),
  offered: ({ agent }) => agent.tier !== 'planner',
  action: (input) => `search_files ${oneLine(input.pattern, 40)}`,
  run: async (context, input, signal) => {
    const within = plainPath(input.path ?? '');
    const tree = await context.tree();
    const files = (await tree.files()).filter(
      (file) => within === '' || file === within || file.startsWith(`${within}/`),
    );
    if (files.length === 0) throw new UserError('not-found', `There are no files in ${within || 'the repository'}.`);
    const expression = toExpression(input.pattern);
    const most = Math.min(MOST_RESULTS, Math.max(1, input.max_results ?? 50));
    const found = await searchTree(tree, files.slice(0, MOST_FILES), matcher(expression), most, signal);
    const said = notes(found, files.length, expression.literal);
    const hits =
      found.lines.length > 0
        ? found.lines
        : [`No line matches ${input.pattern} in ${counted(found.searched, 'file')}.`];
    const output = truncate(
      [...hits, ...said].join('\n'),
      context.limits.outputChars,
      'give a path or a sharper pattern',
    );
    return { ok: found.stopped !== 'slow' || found.lines.length > 0, output };
  },
});
