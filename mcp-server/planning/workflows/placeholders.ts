import type { WorkflowValue } from './workflow.ts';

const PLACEHOLDER = /\{\{\s*([a-z0-9][a-z0-9-]*)\s*\}\}/g;

export type Values = Readonly<Record<string, WorkflowValue>>;

/** Names that the text has placeholders for. */
export const placeholdersOf = (text: string): readonly string[] =>
  [...text.matchAll(PLACEHOLDER)].map(([, name]) => name ?? '');

/** Lists become their parts with commas. A placeholder without a value stays as it is. */
export const fillIn = (text: string, values: Values): string =>
  text.replace(PLACEHOLDER, (whole, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) return whole;
    return Array.isArray(value) ? value.join(', ') : String(value);
  });

/** The items of a pattern: those of the list, or of the parameter that the text is a placeholder of, or its lines and parts between commas. */
export const itemsOf = (over: string | readonly (string | number)[], values: Values): readonly string[] => {
  if (typeof over !== 'string') return over.map((item) => fillIn(String(item), values));
  const [, name = ''] = /^\{\{\s*([a-z0-9][a-z0-9-]*)\s*\}\}$/.exec(over.trim()) ?? [];
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (Array.isArray(value)) return value.map(String);
  return fillIn(over, values)
    .split(/[\n,]/)
    .map((item) => item.trim())
    .filter(Boolean);
};
