import { z } from 'zod';
import { UserError } from './domain/errors.ts';
import { DISTRIBUTIONS, WISHED_PATTERNS } from './domain/plan.ts';
import { PLANNING_DEFAULTS, type PlanningOptions, type RunOptions } from './domain/run.ts';

const count = z.int().min(1);
const server = z
  .string()
  .refine(
    (text) => text === 'rehearsal' || isHttpUrl(text),
    'must be http://host:port of a llama-server, or "rehearsal"',
  );

/** A host, with its port where that is another one; `*.` stands for any name below one. */
const HOST = /^(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::[0-9]{1,5})?$/;

const timeout = z.int().min(1000).nullable().default(null);

/** How runs are planned by default; PlanningOptions in `domain/run.ts` says what each key means. */
const planning = z.strictObject({
  pattern: z.enum(WISHED_PATTERNS).nullable().optional(),
  domain: z.enum(['software', 'research', 'analysis', 'planning']).nullable().optional(),
  workers: count.max(1000).nullable().optional(),
  fanIn: z.int().min(2).max(50).optional(),
  distribution: z.enum(DISTRIBUTIONS).optional(),
  servers: z
    .array(
      z.strictObject({
        server,
        model: z.string().min(1).nullable().default(null),
        capabilities: z.array(z.string().min(1)).default([]),
      }),
    )
    .optional(),
  retries: z.int().min(0).max(10).optional(),
  timeouts: z.strictObject({ worker: timeout, synthesizer: timeout, executive: timeout }).optional(),
  gate: z.enum(['ask', 'go']).optional(),
  maxForecastTokens: count.nullable().optional(),
  cache: z.boolean().optional(),
  levelNames: z.array(z.string().trim().max(40)).max(20).optional(),
});

/** A day. A timer of more than 24 of them would ring at once. */
const MOST_SETUP_MS = 86_400_000;

/** What is done with each new worktree; Config says what the keys mean. */
const worktree = z.strictObject({
  setup: z.array(z.string().min(1)).min(1).nullable().optional(),
  setupTimeout: z.int().min(1000).max(MOST_SETUP_MS).optional(),
});

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
  planning: planning.optional(),
  worktree: worktree.optional(),
  processors: z.boolean().optional(),
  skillHub: z
    .string()
    .refine((text) => isSafeUrl(text), 'must be https://…, or http:// on this machine')
    .optional(),
  skillHubHosts: z
    .array(z.string().trim().toLowerCase().max(255).regex(HOST, 'must hold names of hosts, such as files.example.com'))
    .max(20)
    .optional(),
});

/** One source's part of the settings. */
export type PartialConfig = z.infer<typeof configShape>;

/** The settings of one engine: the defaults of its runs, and the key for its inference server. */
export interface Config extends RunOptions {
  readonly apiKey: string | null;
  readonly planning: PlanningOptions;
  /** Where `skill_hub` searches and skills of the kind `clawhub` are imported from. */
  readonly skillHub: string;
  /** Other hosts that the hub may send a download on to. */
  readonly skillHubHosts: readonly string[];
  /** True: programs of the person's own in `.coppice/processors` may work out results. They are code, and have no sandbox. */
  readonly processors: boolean;
  readonly worktree: {
    /** A program with its arguments that is run once in each new worktree, where programs are allowed; null: none. */
    readonly setup: readonly string[] | null;
    /** How long it may take, ms. */
    readonly setupTimeout: number;
  };
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
  planning: PLANNING_DEFAULTS,
  skillHub: 'https://clawhub.ai',
  skillHubHosts: [],
  processors: false,
  worktree: { setup: null, setupTimeout: 600_000 },
};

/** Where values come from; `label` and `nameOf` are for the message when one of them is wrong. */
export interface ConfigSource {
  readonly label: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** How the person wrote this key there: `COPPICE_BUDGET`, `--budget`. */
  readonly nameOf?: (key: string) => string;
}

/** Keys that a file which came with a clone must not set: they send code away, bring other people's in, or let agents run programs. */
const PERSONAL_KEYS = [
  'server',
  'apiKey',
  'permissions',
  'skillHub',
  'skillHubHosts',
  'processors',
  'planning.servers',
  'worktree.setup',
] as const;

/** The one merge: later sources win, key by key. Throws UserError `bad-input` that names source, key and remedy. */
export const mergeConfig = (sources: readonly ConfigSource[]): Config => {
  const { planning: own, worktree: trees, ...rest } = mergePartial(sources);
  return Object.freeze({
    ...DEFAULTS,
    ...rest,
    planning: { ...PLANNING_DEFAULTS, ...own },
    worktree: { ...DEFAULTS.worktree, ...trees },
  }) as Config;
};

/** The same merge without the defaults: only what somebody has set. The keys of `planning` and `worktree` count one by one. */
export const mergePartial = (sources: readonly ConfigSource[]): PartialConfig => {
  const parts = sources.map(parseSource);
  const merged = Object.assign({}, ...parts) as PartialConfig;
  for (const key of ['planning', 'worktree'] as const) {
    const given = parts.flatMap((part) => part[key] ?? []);
    if (given.length > 0) Object.assign(merged, { [key]: Object.assign({}, ...given) as object });
  }
  return merged;
};

/** A settings file as a source; `text` is null when there is no such file. */
export const fileSource = (path: string, text: string | null, options: { readonly tracked: boolean }): ConfigSource => {
  if (text === null) return { label: path, values: {} };
  const values = parseJsonObject(path, text);
  const personal = PERSONAL_KEYS.find((key) => isSet(values, key.split('.')));
  if (options.tracked && personal) {
    throw new UserError(
      'bad-input',
      `${path}: "${personal}" is not accepted from a file that git tracks, because a clone could bring it along. ` +
        'Remove it there and set it in your own settings file, or take the file out of git.',
    );
  }
  return { label: path, values };
};

const isSet = (values: unknown, [first = '', ...rest]: readonly string[]): boolean =>
  typeof values === 'object' &&
  values !== null &&
  Object.hasOwn(values, first) &&
  (rest.length === 0 || isSet((values as Record<string, unknown>)[first], rest));

/** Variable → setting; a dot leads into `planning`. */
const VARIABLES: Readonly<Record<string, string>> = {
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
  COPPICE_SKILL_HUB: 'skillHub',
  COPPICE_SKILL_HUB_HOSTS: 'skillHubHosts',
  COPPICE_PROCESSORS: 'processors',
  COPPICE_PATTERN: 'planning.pattern',
  COPPICE_DOMAIN: 'planning.domain',
  COPPICE_WORKERS: 'planning.workers',
  COPPICE_FAN_IN: 'planning.fanIn',
  COPPICE_DISTRIBUTION: 'planning.distribution',
  COPPICE_RETRIES: 'planning.retries',
  COPPICE_MAX_FORECAST_TOKENS: 'planning.maxForecastTokens',
  COPPICE_PLAN_CACHE: 'planning.cache',
  COPPICE_LEVEL_NAMES: 'planning.levelNames',
};

/** The environment as a source; an empty variable counts as not set. */
export const environmentSource = (environment: Readonly<Record<string, string | undefined>>): ConfigSource => {
  const given = Object.entries(VARIABLES).flatMap(([variable, key]) => {
    const text = environment[variable];
    return text ? [[key, fromText(key, text)] as const] : [];
  });
  const nameOf = (key: string): string => Object.keys(VARIABLES).find((name) => VARIABLES[name] === key) ?? key;
  return { label: 'the environment', values: nested(given), nameOf };
};

/** Flags of the command line as a source: key → text as it was typed. */
export const flagSource = (
  flags: Readonly<Record<string, string | undefined>>,
  nameOf: (key: string) => string,
): ConfigSource => {
  const given = Object.entries(flags).flatMap(([key, text]) =>
    text === undefined ? [] : [[key, fromText(key, text)] as const],
  );
  return { label: 'the command line', values: nested(given), nameOf };
};

/** `planning.retries` becomes `{ planning: { retries } }`. */
const nested = (given: readonly (readonly [string, unknown])[]): Record<string, unknown> => {
  const values: Record<string, unknown> = {};
  const own: Record<string, unknown> = {};
  for (const [key, value] of given) {
    const [, inner] = /^planning\.(.+)$/.exec(key) ?? [];
    if (inner === undefined) values[key] = value;
    else own[inner] = value;
  }
  return Object.keys(own).length > 0 ? { ...values, planning: own } : values;
};

const NUMBERS: readonly string[] = [
  'budget',
  'maxDepth',
  'maxAgents',
  'maxAgentsPerLevel',
  'concurrency',
  'planning.workers',
  'planning.fanIn',
  'planning.retries',
  'planning.maxForecastTokens',
];
const SWITCHES: readonly string[] = ['processors', 'unattended', 'planning.cache'];

const fromText = (key: string, text: string): unknown => {
  if (NUMBERS.includes(key)) return /^\d+$/.test(text.trim()) ? Number(text) : text;
  if (SWITCHES.includes(key))
    return /^(1|true|yes|on)$/i.test(text) ? true : /^(0|false|no|off)$/i.test(text) ? false : text;
  if (key === 'planning.levelNames' || key === 'skillHubHosts') return listed(text);
  if (key !== 'permissions') return text;
  return { commands: text === 'off' || text === 'any' ? text : { allowed: listed(text) } };
};

const listed = (text: string): string[] => text.split(',').map((name) => name.trim());

const parseSource = (source: ConfigSource): PartialConfig => {
  const parsed = configShape.safeParse(source.values);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new UserError('bad-input', `${source.label}: ${issue ? describe(issue, source) : 'is not valid.'}`);
};

const describe = (issue: z.core.$ZodIssue, source: ConfigSource): string => {
  const [first, second] = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const inner = second === undefined ? { planning, worktree }[first ?? ''] : undefined;
    const { shape } = inner ?? configShape;
    const path = issue.path.length > 0 ? `${issue.path.join('.')}.` : '';
    return `there is no setting "${path}${issue.keys[0]}". Known settings: ${Object.keys(shape).join(', ')}.`;
  }
  const isInner = (first === 'planning' || first === 'worktree') && second !== undefined;
  const key = isInner ? `${first}.${second}` : (first ?? '');
  const name = source.nameOf?.(key) ?? `"${issue.path.join('.')}"`;
  return `${name} is wrong: ${issue.message}. ${remedy(key)}`;
};

const remedy = (key: string): string => {
  if (key === 'worktree.setup') return 'Give a program with its arguments, such as ["npm", "ci"].';
  if (key === 'worktree.setupTimeout') return 'Give milliseconds, from 1000 to a day (86400000).';
  if (key === 'worktree') return 'Give an object, such as {"setup": ["npm", "ci"]}.';
  if (key === 'planning.fanIn') return 'Give a whole number from 2 to 50.';
  if (key === 'planning.retries') return 'Give a whole number from 0 to 10.';
  if (NUMBERS.includes(key)) return 'Give a whole number above 0.';
  if (key === 'planning.levelNames') return 'Give up to 20 names of at most 40 characters, such as ["lead", "editor"].';
  if (key === 'planning.distribution') return `Give one of ${DISTRIBUTIONS.join(', ')}.`;
  if (key === 'planning.pattern') return 'Give one of fork-join, map-reduce, pipeline, scatter-gather, saga.';
  if (key === 'planning.domain') return 'Give one of software, research, analysis, planning.';
  if (key === 'planning') return 'Give an object, such as {"retries": 2}.';
  if (SWITCHES.includes(key)) return 'Give true or false.';
  if (key === 'permissions') return 'Give commands as "off", "any" or {"allowed": ["npm", "node"]}.';
  if (key === 'skillHubHosts') return 'Give hosts, such as ["files.example.com", "*.example.org"].';
  if (key === 'skillHub') return 'For example https://clawhub.ai.';
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

const isSafeUrl = (text: string): boolean => {
  if (!isHttpUrl(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
};
