import type { z } from 'zod';

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Arguments that may be replayed to a server: the text is one JSON object. */
export const isJsonObject = (text: string): boolean => {
  try {
    return isObject(JSON.parse(text));
  } catch {
    return false;
  }
};

export type ReadArguments<T> =
  | { readonly ok: true; readonly input: T }
  /** `problem` says what is wrong, as a whole sentence. */
  | { readonly ok: false; readonly problem: string };

/** No text at all means no arguments; an object that was written as a string is taken out of it. */
const parseObject = (text: string): ReadArguments<Json> => {
  let value: unknown;
  try {
    value = text.trim() === '' ? {} : JSON.parse(text);
    if (typeof value === 'string') value = JSON.parse(value);
  } catch {
    return { ok: false, problem: 'The arguments are not valid JSON.' };
  }
  return isObject(value) ? { ok: true, input: value } : { ok: false, problem: 'The arguments are not a JSON object.' };
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** What the value was surely meant to be; itself when nothing is sure. */
const meant = (value: unknown, issue: z.core.$ZodIssue): unknown => {
  if (issue.code === 'invalid_value' && typeof value === 'string') {
    const plain = value.trim().toLowerCase();
    return issue.values.includes(plain) ? plain : value;
  }
  if (issue.code !== 'invalid_type') return value;
  if ((issue.expected === 'number' || issue.expected === 'int') && typeof value === 'string') {
    const number = value.trim() === '' ? Number.NaN : Number(value);
    return Number.isFinite(number) ? number : value;
  }
  if (issue.expected === 'int' && typeof value === 'number') return Math.trunc(value);
  if (issue.expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) return String(value);
  if (issue.expected === 'array' && typeof value === 'string') {
    const list = parsed(value);
    return Array.isArray(list) ? list : value;
  }
  return value;
};

const repaired = (value: Json, issues: readonly z.core.$ZodIssue[]): Json => {
  const result: Record<string, unknown> = { ...value };
  for (const issue of issues) {
    const [key] = issue.path;
    if (typeof key === 'string' && issue.path.length === 1) result[key] = meant(result[key], issue);
  }
  return result;
};

const describe = (issue: z.core.$ZodIssue, input: Json): string => {
  const [key] = issue.path;
  const place = issue.path.map(String).join('.');
  const missing = typeof key === 'string' && issue.path.length === 1 && input[key] === undefined;
  return missing ? `${place}: is missing` : `${place}: ${issue.message.replace(/^Invalid input: /, '')}`;
};

/**
 * A model's arguments as the schema wants them. Put right: null for absent, numbers as strings and the reverse, lists as
 * JSON text, words in another case, keys that are not known. Everything else is a problem to tell.
 */
export const readArguments = <S extends z.ZodObject>(schema: S, text: string): ReadArguments<z.infer<S>> => {
  const object = parseObject(text);
  if (!object.ok) return object;
  const given = Object.fromEntries(Object.entries(object.input).filter(([, value]) => value !== null));
  let read = schema.safeParse(given);
  let mended: Json = given;
  // Twice: a string that became a number may still be no whole number.
  for (let pass = 0; pass < 2 && !read.success; pass += 1) {
    mended = repaired(mended, read.error.issues);
    read = schema.safeParse(mended);
  }
  if (read.success) return { ok: true, input: read.data };
  const final = mended;
  return { ok: false, problem: `${read.error.issues.map((issue) => describe(issue, final)).join('; ')}.` };
};
