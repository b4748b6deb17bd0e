import { UserError } from '../../domain/errors.ts';
import { asText, type Common, type Values } from './argument-values.ts';
import { type Following, parametersOf } from './planning-arguments.ts';

/** The word of a person who is not there to be asked: `expect` is the hash of what they have looked at. */
export interface Consent {
  readonly yes: boolean;
  readonly expect: string | null;
}

/** What a skill is run on. */
export type SkillGiven =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'text'; readonly text: string }
  /** JSON as it was typed; `-` stands for standard input. */
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'parameters'; readonly values: Readonly<Record<string, string>> };

/** Where a skill is imported from, as it was typed. */
export type ImportFrom =
  /** `source`: URL or local path, perhaps with `@` and a branch, tag or commit behind it. */
  | { readonly kind: 'git'; readonly source: string; readonly path: string | null }
  | { readonly kind: 'clawhub'; readonly slug: string; readonly version: string | null }
  | { readonly kind: 'langchain'; readonly spec: string };

/** `agree`: looking at a LangChain tool may run its code. `force`: also what was changed by hand. */
interface Fetching extends Consent {
  readonly agree: boolean;
  readonly force: boolean;
}

/** What `coppice skill …` does. */
export type SkillAction =
  | { readonly kind: 'list' }
  | { readonly kind: 'search'; readonly query: string; readonly hub: boolean }
  | { readonly kind: 'show'; readonly name: string; readonly file: string | null }
  /** `target`: a name or a folder; null: all of them. */
  | { readonly kind: 'check'; readonly target: string | null }
  | ({ readonly kind: 'run'; readonly name: string; readonly given: SkillGiven } & Following)
  | { readonly kind: 'pin'; readonly name: string; readonly pinned: boolean }
  | ({ readonly kind: 'trust'; readonly name: string } & Consent)
  | { readonly kind: 'distrust'; readonly name: string }
  | ({ readonly kind: 'import'; readonly from: ImportFrom; readonly name: string | null } & Fetching)
  | ({ readonly kind: 'update'; readonly name: string } & Fetching)
  | { readonly kind: 'remove'; readonly name: string; readonly force: boolean }
  | {
      readonly kind: 'new';
      readonly name: string;
      readonly description: string | null;
      readonly script: boolean;
      readonly shared: boolean;
    }
  | DraftAction;

/** What `coppice skill drafts` and `skill draft …` do. */
export type DraftAction =
  | { readonly kind: 'drafts' }
  | { readonly kind: 'draft-show' | 'draft-test' | 'draft-discard'; readonly name: string }
  | ({ readonly kind: 'draft-approve'; readonly name: string } & Consent);

/** A command about skills. */
export type SkillInvocation = { readonly command: 'skill'; readonly action: SkillAction } & Common;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

/** Flags of `coppice skill`, besides those that every command has and those of settings. */
export const SKILL_OPTIONS = {
  yes: { type: 'boolean', short: 'y' },
  detach: flag,
  param: { type: 'string', multiple: true },
  input: text,
  file: text,
  hub: flag,
  expect: text,
  agree: flag,
  force: flag,
  path: text,
  name: text,
  description: text,
  script: flag,
  shared: flag,
} as const;

const CONSENT = ['yes', 'expect'];
const FETCHING = [...CONSENT, 'agree', 'force'];
/** Verb → how it is used, and its own flags. `run` takes those of a run as well. */
const VERBS: Readonly<Record<string, { readonly usage: string; readonly flags: readonly string[] }>> = {
  list: { usage: 'list', flags: [] },
  search: { usage: 'search WORDS [--hub]', flags: ['hub'] },
  show: { usage: 'show NAME [--file FILE]', flags: ['file'] },
  check: { usage: 'check [NAME|FOLDER]', flags: [] },
  run: {
    usage: 'run NAME [TEXT | --input JSON | --param KEY=VALUE…]',
    flags: ['input', 'param', 'yes', 'detach'],
  },
  pin: { usage: 'pin NAME', flags: [] },
  unpin: { usage: 'unpin NAME', flags: [] },
  trust: { usage: 'trust NAME [--yes --expect HASH]', flags: CONSENT },
  distrust: { usage: 'distrust NAME', flags: [] },
  import: {
    usage: 'import git URL[@REF] [--path PATH], import clawhub SLUG[@VERSION] or import langchain PACKAGE/PATH#EXPORT',
    flags: [...FETCHING, 'path', 'name'],
  },
  update: { usage: 'update NAME', flags: FETCHING },
  remove: { usage: 'remove NAME [--force]', flags: ['force'] },
  new: { usage: 'new NAME [--description TEXT] [--script] [--shared]', flags: ['description', 'script', 'shared'] },
  drafts: { usage: 'drafts', flags: [] },
  draft: { usage: 'draft show|test|approve|discard NAME', flags: CONSENT },
};
const EVERYWHERE = ['repo', 'json', 'help'];

/** Reads what follows `coppice skill`. Throws UserError `bad-input` with a hint. */
export const skillInvocation = (values: Values, words: readonly string[], common: Common): SkillInvocation => {
  const [verb = 'list', ...rest] = words;
  const known = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (known === undefined)
    throw new UserError(
      'bad-input',
      `coppice skill does not know "${verb}". It knows ${Object.keys(VERBS).join(', ')}.`,
    );
  refuseOthers(verb, known.flags, values);
  return { command: 'skill', action: actionOf(verb, values, rest), ...common };
};

const refuseOthers = (verb: string, flags: readonly string[], values: Values): void => {
  const allowed = [...EVERYWHERE, ...flags];
  // A run takes the flags of a run, whose names are not ours.
  const other = Object.keys(values).find(
    (name) => !allowed.includes(name) && (verb !== 'run' || name in SKILL_OPTIONS),
  );
  if (other === undefined) return;
  const takes = allowed.filter((name) => name !== 'help').map((name) => `--${name}`);
  throw new UserError('bad-input', `coppice skill ${verb} has no --${other}. It knows ${takes.join(', ')}.`);
};

const misused = (verb: string): UserError =>
  new UserError('bad-input', `This is how it is used: coppice skill ${VERBS[verb]?.usage ?? verb}`);

/** The one word that there is. */
const only = (verb: string, words: readonly string[]): string => {
  const [word, ...rest] = words;
  if (word === undefined || word === '' || rest.length > 0) throw misused(verb);
  return word;
};

const actionOf = (verb: string, values: Values, words: readonly string[]): SkillAction => {
  switch (verb) {
    case 'list':
    case 'drafts':
      if (words.length > 0) throw misused(verb);
      return { kind: verb };
    case 'search':
      return { kind: verb, query: queryOf(words), hub: values['hub'] === true };
    case 'show':
      return { kind: verb, name: only(verb, words), file: asText(values['file']) ?? null };
    case 'check':
      return { kind: verb, target: words.length === 0 ? null : only(verb, words) };
    case 'run':
      return runAction(values, words);
    case 'pin':
    case 'unpin':
      return { kind: 'pin', name: only(verb, words), pinned: verb === 'pin' };
    case 'trust':
      return { kind: verb, name: only(verb, words), ...consentOf(values) };
    case 'distrust':
      return { kind: verb, name: only(verb, words) };
    case 'draft':
      return draftAction(values, words);
    case 'new': {
      const description = asText(values['description']) ?? null;
      const kind = { script: values['script'] === true, shared: values['shared'] === true };
      return { kind: verb, name: only(verb, words), description, ...kind };
    }
    default:
      return sourceAction(verb, values, words);
  }
};

const sourceAction = (verb: string, values: Values, words: readonly string[]): SkillAction => {
  const force = values['force'] === true;
  const fetching = { agree: values['agree'] === true, force, ...consentOf(values) };
  if (verb === 'remove') return { kind: verb, name: only(verb, words), force };
  if (verb === 'update') return { kind: verb, name: only(verb, words), ...fetching };
  const from = importFrom(words, asText(values['path']) ?? null);
  return { kind: 'import', from, name: asText(values['name']) ?? null, ...fetching };
};

const consentOf = (values: Values): Consent => ({
  yes: values['yes'] === true,
  expect: asText(values['expect'])?.toLowerCase() ?? null,
});

const queryOf = (words: readonly string[]): string => {
  const query = words.join(' ').trim();
  if (query === '') throw misused('search');
  return query;
};

const runAction = (values: Values, [name, ...words]: readonly string[]): SkillAction => {
  if (name === undefined || name === '') throw misused('run');
  const said = words.join(' ').trim();
  const json = asText(values['input']);
  const given: SkillGiven[] = [
    ...(said === '' ? [] : [{ kind: 'text', text: said } as const]),
    ...(json === undefined ? [] : [{ kind: 'json', text: json } as const]),
    ...(values['param'] === undefined
      ? []
      : [{ kind: 'parameters', values: parametersOf(values['param'], 'depth=2') } as const]),
  ];
  if (given.length > 1)
    throw new UserError('bad-input', 'Give the input once: as a text, or with --input, or with --param.');
  return {
    kind: 'run',
    name,
    given: given[0] ?? { kind: 'nothing' },
    detach: values['detach'] === true,
    yes: values['yes'] === true,
  };
};

const importFrom = ([kind, source, ...rest]: readonly string[], path: string | null): ImportFrom => {
  if (source === undefined || source === '' || rest.length > 0) throw misused('import');
  if (path !== null && kind !== 'git')
    throw new UserError('bad-input', '--path is for an import from git: the folder of the skill in the repository.');
  switch (kind) {
    case 'git':
      return { kind, source, path };
    case 'clawhub': {
      const [, slug, version] = /^(@?[^@]+)(?:@(.+))?$/.exec(source) ?? [];
      if (slug === undefined) throw misused('import');
      return { kind, slug, version: version ?? null };
    }
    case 'langchain':
      return { kind, spec: source };
    case undefined:
    default:
      throw misused('import');
  }
};

const draftAction = (values: Values, [verb, ...words]: readonly string[]): SkillAction => {
  const name = only('draft', words);
  switch (verb) {
    case 'show':
    case 'test':
    case 'discard':
      refuseOthers(`draft ${verb}`, [], values);
      return { kind: `draft-${verb}`, name };
    case 'approve':
      return { kind: 'draft-approve', name, ...consentOf(values) };
    case undefined:
    default:
      throw misused('draft');
  }
};
