import { truncate } from '../../domain/text.ts';
import { findJson } from '../find-json.ts';
import { absentees, type BuiltIn, done, failed, good, isRecord, paragraphs } from './processor.ts';

/** Records are merged deeply and lists laid together, each thing once; else the later one holds. */
const merged = (a: unknown, b: unknown, path: string, conflicts: string[]): unknown => {
  if (Array.isArray(a) && Array.isArray(b)) {
    const known = new Set(a.map((each) => JSON.stringify(each)));
    return [...a, ...b.filter((each) => !known.has(JSON.stringify(each)))];
  }
  if (isRecord(a) && isRecord(b)) {
    const both = new Map(Object.entries(a));
    for (const [key, value] of Object.entries(b))
      both.set(key, both.has(key) ? merged(both.get(key), value, path ? `${path}.${key}` : key, conflicts) : value);
    return Object.fromEntries(both);
  }
  if (JSON.stringify(a) !== JSON.stringify(b)) conflicts.push(path || 'the whole');
  return b;
};

/** The JSON objects, or lists, of the reports as one. Where two differ the later one holds, which is told. */
export const jsonMerge: BuiltIn = (inputs) => {
  const found = good(inputs).map((input) => ({ input, json: findJson(input.report).at(-1) }));
  const read = found.filter(({ json }) => typeof json === 'object' && json !== null);
  const unread = found.filter((each) => !read.includes(each)).map(({ input }) => input);
  const absent = absentees(inputs, unread, 'JSON');
  const [start, ...others] = read;
  if (!start) return failed(paragraphs('There is no JSON to merge.', ...absent));
  const conflicts: string[] = [];
  const whole = others.reduce((sum: unknown, { json }) => merged(sum, json, '', conflicts), start.json);
  const told =
    conflicts.length === 0
      ? ''
      : `They differ in ${truncate([...new Set(conflicts)].join(', '), 1000)}; the later one holds.`;
  return done(paragraphs(`\`\`\`json\n${JSON.stringify(whole, null, 2)}\n\`\`\``, told, ...absent));
};
