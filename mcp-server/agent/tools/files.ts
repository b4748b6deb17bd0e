import { z } from 'zod';
import { UserError } from '../../domain/errors.ts';
import { counted, truncate } from '../../domain/text.ts';
import { defineTool, type ToolContext, type ToolFacts } from '../tool.ts';
import { plainFile, plainPath } from './paths.ts';
import { linesOf, replaceOnce } from './text-edit.ts';

const path = z.string().min(1).describe('from the top of the repository, such as src/main.ts');
const isNoPlanner = ({ agent }: Pick<ToolFacts, 'agent'>): boolean => agent.tier !== 'planner';

/** Throws UserError when there is no such file, and says where to look. */
const readOrExplain = async (context: ToolContext, file: string): Promise<string> => {
  const tree = await context.tree();
  const text = await tree.read(file);
  if (text !== null) return text;
  if (await tree.list(file))
    throw new UserError('not-found', `${file} is a folder; call list_files to see what is in it.`);
  const name = file.slice(file.lastIndexOf('/') + 1);
  const like = (await tree.files()).filter((other) => other.endsWith(`/${name}`) || other === name).slice(0, 5);
  const hint = like.length > 0 ? `Did you mean ${like.join(' or ')}?` : 'Call list_files to see what there is.';
  throw new UserError('not-found', `There is no file ${file}. ${hint}`);
};

const cutLines = (head: string, lines: readonly string[], from: number, most: number): string => {
  const body = lines.join('\n');
  const room = Math.max(200, most - head.length - 1);
  if (body.length <= room) return `${head}\n${body}`;
  const shown = body.slice(0, Math.ceil(room * 0.75)).split('\n').length;
  const hint = `call read_file with from_line: ${from + shown - 1} and a to_line to read on`;
  return `${head}\n${truncate(body, room, hint)}`;
};

export const readFile = defineTool({
  name: 'read_file',
  harmless: true,
  description: 'Read a text file, or some lines of it.',
  input: z.object({
    path,
    from_line: z.int().optional().describe('first line, counted from 1'),
    to_line: z.int().optional().describe('last line'),
  }),
  offered: isNoPlanner,
  action: (input) => `read_file ${input.path}`,
  run: async (context, input) => {
    const file = plainFile(input.path);
    const lines = linesOf(await readOrExplain(context, file));
    const head = `${file} (${counted(lines.length, 'line')})`;
    const from = Math.max(1, input.from_line ?? 1);
    const to = Math.min(lines.length, input.to_line ?? lines.length);
    if (from === 1 && to === lines.length)
      return { ok: true, output: cutLines(head, lines, 1, context.limits.outputChars) };
    if (from > to)
      throw new UserError('bad-input', `${head} has no lines from ${from} to ${input.to_line ?? lines.length}.`);
    const range = `${file} (${counted(lines.length, 'line')}, here ${from} to ${to})`;
    return { ok: true, output: cutLines(range, lines.slice(from - 1, to), from, context.limits.outputChars) };
  },
});

export const listFiles = defineTool({
  name: 'list_files',
  harmless: true,
  description: 'List the files and folders in a folder. Folders end with a slash. Use "." for the top.',
  input: z.object({ path: z.string().optional().describe('folder; "." is the top of the repository') }),
  offered: isNoPlanner,
  action: (input) => `list_files ${input.path ?? '.'}`,
  run: async (context, input) => {
    const folder = plainPath(input.path ?? '');
    const tree = await context.tree();
    const entries = await tree.list(folder);
    if (!entries) {
      const isFile = (await tree.files()).includes(folder);
      const hint = isFile ? 'It is a file; call read_file.' : 'Call list_files with "." to see the top.';
      throw new UserError('not-found', `There is no folder ${folder}. ${hint}`);
    }
    const output = entries.length > 0 ? entries.join('\n') : '(this folder is empty)';
    return {
      ok: true,
      output: truncate(output, context.limits.outputChars, 'use search_files, or list a folder inside'),
    };
  },
});

const explain = (file: string, found: Exclude<ReturnType<typeof replaceOnce>, { kind: 'replaced' }>): UserError => {
  if (found.kind === 'ambiguous')
    return new UserError(
      'bad-input',
      `old_text stands ${found.lines.length} times in ${file} (lines ${found.lines.join(', ')}). Give more of the lines around it, so that it stands there once.`,
    );
  const near =
    found.nearest === null
      ? `Call read_file to see what the file says.`
      : `Line ${found.nearest} is like its first line. Call read_file with from_line: ${Math.max(1, found.nearest - 2)} and copy the text exactly, with its white space.`;
  return new UserError('bad-input', `old_text does not stand in ${file}. ${near}`);
};

export const editFile = defineTool({
  name: 'edit_file',
  description: 'Replace one piece of a file. old_text must be an exact copy, and stand in the file only once.',
  input: z.object({ path, old_text: z.string().min(1), new_text: z.string() }),
  offered: isNoPlanner,
  action: (input) => `edit_file ${input.path}`,
  run: async (context, input) => {
    const file = plainFile(input.path);
    if (input.old_text === input.new_text)
      throw new UserError('bad-input', 'old_text and new_text are the same; there is nothing to change.');
    const found = replaceOnce(await readOrExplain(context, file), input.old_text, input.new_text);
    if (found.kind !== 'replaced') throw explain(file, found);
    await (await context.writable()).write(file, found.text);
    const before = linesOf(input.old_text).length;
    const after = linesOf(input.new_text).length;
    return { ok: true, output: `Edited ${file} at line ${found.line}: ${counted(before, 'line')} became ${after}.` };
  },
});

export const writeFile = defineTool({
  name: 'write_file',
  description: 'Write a whole text file. Makes folders as needed; replaces a file that is there.',
  input: z.object({ path, content: z.string().describe('the whole text of the file') }),
  offered: isNoPlanner,
  action: (input) => `write_file ${input.path}`,
  run: async (context, input) => {
    const file = plainFile(input.path);
    const tree = await context.writable();
    if (await tree.list(file)) throw new UserError('bad-input', `${file} is a folder; give the path of a file.`);
    await tree.write(file, input.content);
    return { ok: true, output: `Wrote ${file} (${counted(linesOf(input.content).length, 'line')}).` };
  },
});
