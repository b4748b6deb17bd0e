import type { ParsedRequest, ScriptedAnswer } from '../script.ts';
import { asFile, askedFor, exchangesOf, isStub } from './conversation.ts';
import { readText, wasCut } from './findings.ts';
import { make, readFile, report, writeFile } from './moves.ts';

/** The files that the task names: in the list after the word “conflict”, in backticks, or in the same line. */
export const conflictedFiles = (task: string): readonly string[] => {
  const from = task.slice(Math.max(0, task.search(/conflict[- ]markers?/i)));
  const listed = [...from.matchAll(/^\s*[-*] `?(.+?)`?\s*$/gm)].map((match) => match[1] ?? '');
  const quoted = [...from.matchAll(/`([^`\n]*[./][^`\n]*)`/g)].map((match) => match[1] ?? '');
  const inline = (/^[^:\n]*:[ \t]*(\S[^\n]*)/.exec(from)?.[1] ?? '').split(/,\s*|\s+/);
  const found = [listed, quoted, inline].find((names) => names.some(Boolean)) ?? [];
  return [...new Set(found.map((name) => asFile(name.replace(/[.,;]$/, ''))).filter(Boolean))];
};

/** Keeps both sides, ours first, and drops the marker lines; the common ancestor, where shown, goes as well. */
export const keepBothSides = (text: string): string => {
  let inAncestor = false;
  return text
    .split('\n')
    .filter((line) => {
      const mark = /^(<{7}|\|{7}|={7}|>{7})(?: |$)/.exec(line.replace(/\r$/, ''))?.[1]?.[0];
      if (mark === '|') inAncestor = true;
      else if (mark) inAncestor = false;
      return !mark && !inAncestor;
    })
    .join('\n');
};

/** The resolver's next move: read the files, write them without markers, finish. A file that was cut is left alone. */
export const resolveConflicts = (request: ParsedRequest, task: string): ScriptedAnswer => {
  const exchanges = exchangesOf(request);
  const files = conflictedFiles(task);
  if (files.length === 0) return report(request, 'The task names no files with conflict markers.', 'blocked');
  const unread = files.filter((file) => !askedFor(exchanges, 'read_file', file));
  if (unread.length > 0) return make(unread.slice(0, 4).map((file) => readFile(file)));
  const whole = files.filter((file) => {
    const read = askedFor(exchanges, 'read_file', file);
    return read?.ok && !wasCut(read.output) && !isStub(read);
  });
  const open = whole.filter((file) => !askedFor(exchanges, 'write_file', file));
  const [next] = open;
  if (next) {
    const read = askedFor(exchanges, 'read_file', next);
    return make([writeFile(next, keepBothSides(`${readText(read?.output ?? '').text.replace(/\n$/, '')}\n`))]);
  }
  const done = whole.filter((file) => askedFor(exchanges, 'write_file', file)?.ok);
  const left = files.filter((file) => !done.includes(file));
  const text = `Kept both sides by rules, not intelligence: please read the result. Files: ${done.join(', ') || 'none'}.`;
  const rest =
    left.length > 0 ? ` Left alone, because they could not be read whole or written: ${left.join(', ')}.` : '';
  return report(request, text + rest, left.length > 0 ? 'blocked' : 'done');
};
