import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UserError } from '../../domain/errors.ts';
import { asText, type Common, notANumber, type Values, wholeNumber } from './argument-values.ts';
import { PLANNING_OPTIONS, type PlanningInvocation, planningInvocation } from './planning-arguments.ts';
import { SKILL_OPTIONS, type SkillInvocation, skillInvocation } from './skill-arguments.ts';

export type { Common } from './argument-values.ts';

/** What the person asked of the command line; `settings` are texts by the key of the setting. */
export type Invocation =
  | { readonly command: 'help' | 'version' | 'demo' }
  | PlanningInvocation
  | SkillInvocation
  | ({ readonly command: 'run'; readonly task: string; readonly detach: boolean; readonly yes: boolean } & Common)
  | ({ readonly command: 'status'; readonly run: string | null } & Common)
  | ({
      readonly command: 'events';
      readonly run: string | null;
      readonly after: number;
      readonly follow: boolean;
    } & Common)
  | ({ readonly command: 'review'; readonly run: string | null; readonly action: ReviewAction } & Common)
  | ({
      readonly command: 'stop';
      readonly run: string | null;
      readonly now: boolean;
      readonly seconds: number;
    } & Common)
  | ({
      readonly command: 'pause' | 'continue';
      readonly run: string;
      readonly agent: string | null;
      /** Without the agent's descendants. */
      readonly alone: boolean;
    } & Common)
  | ({ readonly command: 'doctor' } & Common)
  /** `printConfig`: prints a client's configuration instead of speaking MCP. */
  | ({ readonly command: 'mcp'; readonly printConfig: string | null } & Common)
  | ({
      readonly command: 'serve';
      readonly port: number;
      readonly origins: readonly string[];
      readonly scope: string | null;
      readonly token: TokenAction | null;
    } & Common)
  | ({
      readonly command: 'engine';
      readonly detached: boolean;
      readonly idleSeconds: number | null;
      /** Leaves out settings that are wrong instead of refusing to start. */
      readonly lenient: boolean;
    } & Common);

/** What `coppice serve token …` does. */
export type TokenAction = { readonly kind: 'list' } | { readonly kind: 'add' | 'remove'; readonly name: string };

/** What `coppice review RUN` does with the run. */
export type ReviewAction = 'show' | 'patch' | 'land' | 'discard';

type Options = NonNullable<ParseArgsConfig['options']>;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const COMMON: Options = { repo: text, json: flag, help: { type: 'boolean', short: 'h' } };

/** Flag → setting. */
const SETTINGS: Readonly<Record<string, string>> = {
  server: 'server',
  model: 'model',
  budget: 'budget',
  agents: 'maxAgents',
  depth: 'maxDepth',
  concurrency: 'concurrency',
};
const SETTING_OPTIONS: Options = Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, text]));
/** The same for how a run is planned. */
const PLANNING: Readonly<Record<string, string>> = {
  pattern: 'planning.pattern',
  domain: 'planning.domain',
  workers: 'planning.workers',
  'fan-in': 'planning.fanIn',
  distribution: 'planning.distribution',
  retries: 'planning.retries',
  'max-forecast-tokens': 'planning.maxForecastTokens',
  'level-names': 'planning.levelNames',
};
const FLAGS: Readonly<Record<string, string>> = { ...SETTINGS, ...PLANNING };
const RUN_OPTIONS: Options = {
  ...SETTING_OPTIONS,
  ...Object.fromEntries(Object.keys(PLANNING).map((name) => [name, text])),
  'no-cache': flag,
};

const OPTIONS: Readonly<Record<string, Options>> = {
  run: { ...COMMON, ...RUN_OPTIONS, yes: { type: 'boolean', short: 'y' }, follow: flag, detach: flag },
  plan: { ...COMMON, ...RUN_OPTIONS, ...PLANNING_OPTIONS.plan },
  workflow: { ...COMMON, ...RUN_OPTIONS, ...PLANNING_OPTIONS.workflow },
  forecast: { ...COMMON, ...PLANNING_OPTIONS.forecast },
  recommend: { ...COMMON, ...PLANNING_OPTIONS.recommend },
  retry: { ...COMMON, ...PLANNING_OPTIONS.retry },
  skill: { ...COMMON, ...RUN_OPTIONS, ...SKILL_OPTIONS },
  status: COMMON,
  events: { ...COMMON, after: text, follow: flag, run: text },
  review: { ...COMMON, patch: flag, land: flag, discard: flag },
  stop: { ...COMMON, now: flag, seconds: text },
  pause: { ...COMMON, alone: flag },
  continue: { ...COMMON, alone: flag },
  doctor: { ...COMMON, server: text, model: text },
  engine: { ...COMMON, ...SETTING_OPTIONS, detached: flag, lenient: flag, 'idle-seconds': text },
  mcp: { ...COMMON, ...SETTING_OPTIONS, 'print-config': text },
  serve: { ...COMMON, port: text, scope: text, 'allow-origin': { type: 'string', multiple: true } },
};
const COMMANDS = [...Object.keys(OPTIONS), 'help'];

/** How a setting is written on the command line: `maxAgents` → `--agents`. */
export const flagOf = (setting: string): string =>
  setting === 'planning.cache'
    ? '--no-cache'
    : `--${Object.keys(FLAGS).find((name) => FLAGS[name] === setting) ?? setting}`;

/** Whether a program reads the answer: errors are then told to it too, also those of the arguments themselves. */
export const wantsJson = (argv: readonly string[]): boolean => {
  const end = argv.indexOf('--');
  // What these two write is a protocol of its own, or nobody's.
  const speaks = argv[0] === 'mcp' || argv[0] === 'engine';
  return !speaks && argv.slice(0, end < 0 ? undefined : end).includes('--json');
};

/** Reads the arguments after the program's name. Throws UserError `bad-input` with a hint. */
export const parseArguments = (argv: readonly string[]): Invocation => {
  const [first, ...rest] = argv;
  if (first === undefined) return { command: 'demo' };
  if (['help', '--help', '-h'].includes(first)) return { command: 'help' };
  if (['version', '--version', '-v'].includes(first)) return { command: 'version' };
  if (first in OPTIONS) return invocationOf(first, rest);
  if (first.startsWith('-') || /\s/.test(first.trim())) return invocationOf('run', argv);
  const near = nearest(first, COMMANDS);
  throw new UserError(
    'bad-input',
    `There is no command "${first}".${near ? ` Did you mean "coppice ${near}"?` : ''} ` +
      `A task of one word is given by: coppice run ${first}`,
  );
};

const invocationOf = (command: string, argv: readonly string[]): Invocation => {
  const { values, positionals } = parse(command, argv);
  if (values['help']) return { command: 'help' };
  const common: Common = {
    repo: asText(values['repo']) ?? '.',
    json: values['json'] === true,
    settings: settingsOf(values),
  };
  if (command === 'run') return runOf(values, positionals, common);
  if (command === 'serve') return serveOf(values, positionals, common);
  if (command === 'skill') return skillInvocation(values, positionals, common);
  const planning = planningInvocation(command, values, positionals, common);
  if (planning) return planning;
  if (command === 'pause' || command === 'continue') return pauseOf(command, values, positionals, common);
  const allowed = ['status', 'events', 'review', 'stop'].includes(command) ? 1 : 0;
  const extra = positionals[allowed];
  if (extra !== undefined)
    throw new UserError('bad-input', `coppice ${command} does not know what to do with "${extra}".`);
  return otherOf(command, values, positionals[0] ?? null, common);
};

const runOf = (values: Values, positionals: readonly string[], common: Common): Invocation => {
  const task = positionals.join(' ').trim();
  if (task === '')
    throw new UserError('bad-input', 'There is no task. Say what is to be done: coppice run "Fix the failing test"');
  if (values['follow'] && values['detach'])
    throw new UserError('bad-input', '--follow and --detach exclude each other.');
  return { command: 'run', task, detach: values['detach'] === true, yes: values['yes'] === true, ...common };
};

const otherOf = (command: string, values: Values, run: string | null, common: Common): Invocation => {
  switch (command) {
    case 'status':
      return { command, run, ...common };
    case 'events':
      return {
        command,
        run: run ?? asText(values['run']) ?? null,
        after: wholeNumber('--after', values['after'], 0),
        follow: values['follow'] === true,
        ...common,
      };
    case 'review':
      return { command, run, action: reviewAction(values, run), ...common };
    case 'stop':
      return {
        command,
        run,
        now: values['now'] === true,
        seconds: wholeNumber('--seconds', values['seconds'], 30),
        ...common,
      };
    case 'engine': {
      const idle = values['idle-seconds'];
      const idleSeconds = idle === undefined ? null : wholeNumber('--idle-seconds', idle, 0);
      const given = { detached: values['detached'] === true, lenient: values['lenient'] === true };
      return { command, ...given, idleSeconds, ...common };
    }
    case 'mcp':
      return { command, printConfig: asText(values['print-config']) ?? null, ...common };
    default:
      return { command: 'doctor', ...common };
  }
};

const pauseOf = (
  command: 'pause' | 'continue',
  values: Values,
  [run, agent, extra]: readonly string[],
  common: Common,
): Invocation => {
  if (run === undefined || extra !== undefined)
    throw new UserError(
      'bad-input',
      `coppice ${command} RUN, or coppice ${command} RUN AGENT. "coppice status" has the ids.`,
    );
  const alone = values['alone'] === true;
  if (alone && agent === undefined) throw new UserError('bad-input', '--alone goes with an agent.');
  return { command, run, agent: agent ?? null, alone, ...common };
};

/** Where `coppice serve` listens when nobody says otherwise. */
const PORT = 7717;

const serveOf = (values: Values, words: readonly string[], common: Common): Invocation => {
  const port = wholeNumber('--port', values['port'], PORT);
  if (port > 65_535) throw new UserError('bad-input', `--port is at most 65535, not ${port}.`);
  const origins = ([values['allow-origin'] ?? []].flat() as string[]).map(originOf);
  return {
    command: 'serve',
    port,
    origins,
    scope: asText(values['scope']) ?? null,
    token: tokenAction(words),
    ...common,
  };
};

const originOf = (given: string): string => {
  if (URL.canParse(given) && /^https?:$/.test(new URL(given).protocol)) return new URL(given).origin;
  throw new UserError('bad-input', `--allow-origin wants an origin such as http://localhost:3000, not "${given}".`);
};

const tokenAction = ([what, verb, name, extra]: readonly string[]): TokenAction | null => {
  if (what === undefined) return null;
  const known = verb === undefined || verb === 'list' || verb === 'add' || verb === 'remove';
  const wantsName = verb === 'add' || verb === 'remove';
  if (what !== 'token' || !known || extra !== undefined || wantsName === (name === undefined))
    throw new UserError(
      'bad-input',
      'coppice serve knows: serve, serve token list, serve token add NAME --scope SCOPE, serve token remove NAME.',
    );
  return wantsName && name !== undefined ? { kind: verb, name } : { kind: 'list' };
};

const reviewAction = (values: Values, run: string | null): ReviewAction => {
  const asked = (['patch', 'land', 'discard'] as const).filter((name) => values[name] === true);
  if (asked.length > 1) throw new UserError('bad-input', `--${asked.join(' and --')} exclude each other.`);
  const action = asked[0] ?? 'show';
  if (action !== 'show' && run === null) {
    throw new UserError('bad-input', `Which run? "coppice review" lists them; then: coppice review RUN --${action}`);
  }
  return action;
};

const parse = (command: string, argv: readonly string[]): { values: Values; positionals: readonly string[] } => {
  const options = OPTIONS[command] ?? COMMON;
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UserError('bad-input', explain(command, options, argv, error as NodeJS.ErrnoException), { cause: error });
  }
};

const explain = (command: string, options: Options, argv: readonly string[], error: NodeJS.ErrnoException): string => {
  // Node takes what follows for a flag, because it begins like one.
  const ambiguous = /Option '(?:-\w, )?(--[\w-]+).*' argument is ambiguous/.exec(error.message)?.[1];
  if (ambiguous) return explainValue(ambiguous, argv[argv.indexOf(ambiguous) + 1] ?? '');
  const unknown = /Unknown option '(-[^']*)'/.exec(error.message)?.[1];
  if (!unknown) return `${sentence(error.message.split('\n')[0] ?? '')} "coppice help" shows how it is used.`;
  const near = nearest(unknown.replace(/^-+/, ''), Object.keys(options));
  const known = Object.keys(options).map((name) => `--${name}`);
  return `coppice ${command} has no ${unknown}. ${near ? `Did you mean --${near}?` : `It knows ${known.join(', ')}.`}`;
};

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

const COUNTS = [
  '--after',
  '--port',
  '--seconds',
  '--idle-seconds',
  '--budget',
  '--agents',
  '--depth',
  '--concurrency',
  '--workers',
  '--fan-in',
  '--retries',
  '--max-forecast-tokens',
];

const explainValue = (name: string, value: string): string =>
  COUNTS.includes(name)
    ? notANumber(name, value)
    : `${name} wants a value, and "${value}" looks like a flag. If it is the value, write ${name}=${value}`;

const settingsOf = (values: Values): Record<string, string | undefined> => ({
  ...Object.fromEntries(Object.entries(SETTINGS).map(([name, key]) => [key, asText(values[name])])),
  ...Object.fromEntries(
    Object.entries(PLANNING).flatMap(([name, key]) => (name in values ? [[key, asText(values[name])]] : [])),
  ),
  ...(values['no-cache'] === true ? { 'planning.cache': 'no' } : {}),
});

/** The candidate that is at most two edits away, if any. */
const nearest = (word: string, candidates: readonly string[]): string | null => {
  const ranked = candidates
    .map((name) => ({ name, edits: editDistance(word, name) }))
    .sort((a, b) => a.edits - b.edits);
  const best = ranked[0];
  return best && best.edits <= 2 ? best.name : null;
};

const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
};
