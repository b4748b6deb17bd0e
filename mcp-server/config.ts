import { z } from 'zod';
import { UserError } from './domain/errors.ts';
import type { RunOptions } from './domain/run.ts';

const count = z.int().min(1);
const server = z
  .string()
  .refine(
    (text) => text === 'rehearsal' || isHttpUrl(text),
    'must be http://host:port of a llama-server, or "rehearsal"',
  );

/** What a settings file, the environment and flags may set; every key is optional there. */
export const configShape = z.strictObject({
  server: server.optional(),
  model: z.string().min(1).nullable().optional(),
  apiKey: z.string().min(1).optional(),
  budget: count.optional(),
  maxDepth: count.max(20).optional(),
  maxAgents: count.max(10_000).optional(),
  maxAgentsPerLevel: count.max(10_000).optional(),
  concurrency: count.max(10_000).optional(),
  permissions: z
    .strictObject({
      commands: z.union([z.enum(['off', 'any']), z.strictObject({ allowed: z.array(z.string().min(1)) })]),
    })
    .optional(),
  unattended: z.boolean().optional(),
});

/** One source's part of the settings. */
export type PartialConfig = z.infer<typeof configShape>;

/** The settings of one engine: the defaults of its runs, and the key for its inference server. */
export interface Config extends RunOptions {
  readonly apiKey: string | null;
}

/** What holds when nobody says otherwise. */
export const DEFAULTS: Config = {
  server: 'http://127.0.0.1:8080',
  model: null,
  apiKey: null,
  budget: 500_000,
  maxDepth: 3,
  maxAgents: 60,
  maxAgentsPerLevel: 40,
  concurrency: 64,
  permissions: { commands: 'off' },
  unattended: false,
};

/** Where values come from; `label` and `nameOf` are for the message when one of them is wrong. */
export interface ConfigSource {
  readonly label: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** How the person wrote this key there: `COPPICE_BUDGET`, `--budget`. */
  readonly nameOf?: (key: string) => string;
}

/** Keys that a file which came with a clone must not set: they send code away, or let agents run programs. */
const PERSONAL_KEYS = ['server', 'apiKey', 'permissions'] as const;

/** The one merge: later sources win, key by key. Throws UserError `bad-input` that names source, key and remedy. */
export const mergeConfig = (sources: readonly ConfigSource[]): Config =>
  Object.freeze({ ...DEFAULTS, ...mergePartial(sources) }) as Config;

/** The same merge without the defaults: only what somebody has set. */
export const mergePartial = (sources: readonly ConfigSource[]): PartialConfig =>
  Object.assign({}, ...sources.map(parseSource)) as PartialConfig;

/** A settings file as a source; `text` is null when there is no such file. */
export const fileSource = (path: string, text: string | null, options: { readonly tracked: boolean }): ConfigSource => {
  if (text === null) return { label: path, values: {} };
  const values = parseJsonObject(path, text);
  const personal = PERSONAL_KEYS.find((key) => key in values);
  if (options.tracked && personal) {
    throw new UserError(
      'bad-input',
      `${path}: "${personal}" is not accepted from a file that git tracks, because a clone could bring it along. ` +
        'Remove it there and set it in your own settings file, or take the file out of git.',
    );
  }
  return { label: path, values };
};

const VARIABLES: Readonly<Record<string, keyof PartialConfig>> = {
  COPPICE_SERVER: 'server',
  COPPICE_MODEL: 'model',
  COPPICE_API_KEY: 'apiKey',
  COPPICE_BUDGET: 'budget',
  COPPICE_DEPTH: 'maxDepth',
  COPPICE_AGENTS: 'maxAgents',
  COPPICE_AGENTS_PER_LEVEL: 'maxAgentsPerLevel',
  COPPICE_CONCURRENCY: 'concurrency',
  COPPICE_COMMANDS: 'permissions',
  COPPICE_UNATTENDED: 'unattended',
};

/** The environment as a source; an empty variable counts as not set. */
export const environmentSource = (environment: Readonly<Record<string, string | undefined>>): ConfigSource => {
  const given = Object.entries(VARIABLES).flatMap(([variable, key]) => {
    const text = environment[variable];
    return text ? [[key, fromText(key, text)] as const] : [];
  });
  const nameOf = (key: string): string => Object.keys(VARIABLES).find((name) => VARIABLES[name] === key) ?? key;
  return { label: 'the environment', values: Object.fromEntries(given), nameOf };
};

/** Flags of the command line as a source: key → text as it was typed. */
export const flagSource = (
  flags: Readonly<Record<string, string | undefined>>,
  nameOf: (key: string) => string,
): ConfigSource => {
  const given = Object.entries(flags).flatMap(([key, text]) =>
    text === undefined ? [] : [[key, fromText(key, text)]],
  );
  return { label: 'the command line', values: Object.fromEntries(given) as Record<string, unknown>, nameOf };
};

const NUMBERS: readonly string[] = ['budget', 'maxDepth', 'maxAgents', 'maxAgentsPerLevel', 'concurrency'];

const fromText = (key: string, text: string): unknown => {
  if (NUMBERS.includes(key)) return /^\d+$/.test(text.trim()) ? Number(text) : text;
  if (key === 'unattended')
    return /^(1|true|yes|on)$/i.test(text) ? true : /^(0|false|no|off)$/i.test(text) ? false : text;
  if (key !== 'permissions') return text;
  return {
    commands: text === 'off' || text === 'any' ? text : { allowed: text.split(',').map((name) => name.trim()) },
  };
};

const parseSource = (source: ConfigSource): PartialConfig => {
  const parsed = configShape.safeParse(source.values);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new UserError('bad-input', `${source.label}: ${issue ? describe(issue, source) : 'is not valid.'}`);
};

const describe = (issue: z.core.$ZodIssue, source: ConfigSource): string => {
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(configShape.shape).join(', ');
    return `there is no setting "${issue.keys[0]}". Known settings: ${known}.`;
  }
  const key = String(issue.path[0] ?? '');
  const name = source.nameOf?.(key) ?? `"${issue.path.join('.')}"`;
  return `${name} is wrong: ${issue.message}. ${remedy(key)}`;
};

const remedy = (key: string): string => {
  if (NUMBERS.includes(key)) return 'Give a whole number above 0.';
  if (key === 'unattended') return 'Give true or false.';
  if (key === 'permissions') return 'Give commands as "off", "any" or {"allowed": ["npm", "node"]}.';
  if (key === 'server') return 'For example http://127.0.0.1:8080.';
  return 'Correct it or leave it out.';
};

const parseJsonObject = (path: string, text: string): Record<string, unknown> => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new UserError(
      'bad-input',
      `${path} is not valid JSON: ${(cause as Error).message}. Correct it or remove it.`,
      {
        cause,
      },
    );
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UserError('bad-input', `${path} must hold a JSON object, such as {"budget": 200000}.`);
};

const isHttpUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
