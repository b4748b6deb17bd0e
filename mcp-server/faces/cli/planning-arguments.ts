import { UserError } from '../../domain/errors.ts';
import { SHRINK_WAYS, type ShrinkWay } from '../../domain/forecast.ts';
import { asText, type Common, type Values, wholeNumber } from './argument-values.ts';

/** Whether a command stays with the run that it lets go on, and whether it asks anything. */
export interface Following {
  readonly detach: boolean;
  readonly yes: boolean;
}

/** What `coppice plan …` does. */
export type PlanAction =
  | { readonly kind: 'create'; readonly task: string }
  | { readonly kind: 'show'; readonly run: string; readonly yaml: boolean }
  /** `file`: where the changed plan is, `-` for standard input; null: the person's editor is opened. */
  | { readonly kind: 'edit'; readonly run: string; readonly file: string | null }
  | { readonly kind: 'shrink'; readonly run: string; readonly how: ShrinkWay }
  | ({ readonly kind: 'approve'; readonly run: string } & Following)
  | { readonly kind: 'drop'; readonly run: string };

/** What `coppice workflow …` does. */
export type WorkflowAction =
  | { readonly kind: 'list' }
  | { readonly kind: 'show'; readonly name: string }
  /** `target`: a name or a file; null: all of them. */
  | { readonly kind: 'check'; readonly target: string | null }
  | ({
      readonly kind: 'run';
      readonly name: string;
      readonly parameters: Readonly<Record<string, string>>;
    } & Following)
  | { readonly kind: 'save'; readonly run: string; readonly name: string };

/** The commands about plans, workflows and forecasts. */
export type PlanningInvocation =
  | ({ readonly command: 'plan'; readonly action: PlanAction } & Common)
  | ({ readonly command: 'workflow'; readonly action: WorkflowAction } & Common)
  | ({ readonly command: 'forecast'; readonly run: string } & Common)
  | ({ readonly command: 'recommend'; readonly of: { readonly task: string } | { readonly run: string } } & Common)
  | ({ readonly command: 'retry'; readonly run: string; readonly budget: number | null } & Following & Common);

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const FOLLOWING = { yes: { type: 'boolean', short: 'y' }, detach: flag } as const;

/** Flags of the commands, besides those that every command has and those of settings. */
export const PLANNING_OPTIONS = {
  plan: { ...FOLLOWING, yaml: flag, file: text },
  workflow: { ...FOLLOWING, param: { type: 'string', multiple: true } },
  forecast: {},
  recommend: {},
  retry: { ...FOLLOWING, budget: text },
} as const;

/** Null: it is no command about plans. Throws UserError `bad-input` with a hint. */
export const planningInvocation = (
  command: string,
  values: Values,
  words: readonly string[],
  common: Common,
): PlanningInvocation | null => {
  switch (command) {
    case 'plan':
      return { command, action: planAction(values, words), ...common };
    case 'workflow':
      return { command, action: workflowAction(values, words), ...common };
    case 'forecast':
      return { command, run: only(words, 'coppice forecast RUN'), ...common };
    case 'recommend':
      return { command, of: recommendedFor(words), ...common };
    case 'retry': {
      const budget = values['budget'] === undefined ? null : wholeNumber('--budget', values['budget'], 0);
      const run = only(words, 'coppice retry RUN [--budget TOKENS]');
      return { command, run, budget, ...following(values), ...common, settings: {} };
    }
    default:
      return null;
  }
};

const following = (values: Values): Following => ({ detach: values['detach'] === true, yes: values['yes'] === true });

const misused = (usage: string): UserError => new UserError('bad-input', `This is how it is used: ${usage}`);

/** The one word that there is. */
const only = (words: readonly string[], usage: string): string => {
  const [word, ...rest] = words;
  if (word === undefined || rest.length > 0) throw misused(usage);
  return word;
};

const planAction = (values: Values, words: readonly string[]): PlanAction => {
  const [verb, ...rest] = words;
  switch (verb) {
    case 'show':
      return { kind: verb, run: only(rest, 'coppice plan show RUN [--yaml | --json]'), yaml: values['yaml'] === true };
    case 'edit':
      return {
        kind: verb,
        run: only(rest, 'coppice plan edit RUN [--file FILE]'),
        file: asText(values['file']) ?? null,
      };
    case 'shrink':
      return shrinkAction(rest);
    case 'approve':
      return { kind: verb, run: only(rest, 'coppice plan approve RUN'), ...following(values) };
    case 'drop':
      return { kind: verb, run: only(rest, 'coppice plan drop RUN') };
    case undefined:
    default: {
      const task = words.join(' ').trim();
      if (task === '')
        throw misused('coppice plan "what is to be done", or coppice plan show|edit|shrink|approve|drop RUN');
      return { kind: 'create', task };
    }
  }
};

const shrinkAction = ([run, how, ...rest]: readonly string[]): PlanAction => {
  const way = SHRINK_WAYS.find((one) => one === how);
  if (run === undefined || way === undefined || rest.length > 0)
    throw misused(`coppice plan shrink RUN ${SHRINK_WAYS.join('|')}`);
  return { kind: 'shrink', run, how: way };
};

const workflowAction = (values: Values, words: readonly string[]): WorkflowAction => {
  const [verb, ...rest] = words;
  switch (verb) {
    case undefined:
    case 'list':
      if (rest.length > 0) throw misused('coppice workflow list');
      return { kind: 'list' };
    case 'show':
      return { kind: verb, name: only(rest, 'coppice workflow show NAME') };
    case 'check':
      return { kind: verb, target: rest.length === 0 ? null : only(rest, 'coppice workflow check [NAME|FILE]') };
    case 'run': {
      const name = only(rest, 'coppice workflow run NAME [--param KEY=VALUE]…');
      return { kind: verb, name, parameters: parametersOf(values['param']), ...following(values) };
    }
    case 'save': {
      const [run, name, extra] = rest;
      if (run === undefined || name === undefined || extra !== undefined)
        throw misused('coppice workflow save RUN NAME');
      return { kind: verb, run, name };
    }
    default:
      throw new UserError(
        'bad-input',
        `coppice workflow does not know "${verb}". It knows list, show, check, run and save.`,
      );
  }
};

/** What `--param KEY=VALUE` gave, each time; `example` is one for the hint. Throws UserError `bad-input`. */
export const parametersOf = (given: Values[string], example = 'task="Add a flag"'): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [given ?? []].flat().map((pair) => {
      const [, key, value] = /^([^=\s]+)=(.*)$/s.exec(String(pair)) ?? [];
      if (key !== undefined && value !== undefined) return [key, value];
      throw new UserError('bad-input', `--param wants KEY=VALUE, such as --param ${example}, not "${String(pair)}".`);
    }),
  );

/** The id of a run, as the engine makes them, or made them once. */
const RUN_ID = /^r-[a-z0-9]{12}(?:[a-z0-9]{2})?$/;

const recommendedFor = (words: readonly string[]): { readonly task: string } | { readonly run: string } => {
  const task = words.join(' ').trim();
  if (task === '') throw misused('coppice recommend "what is to be done", or coppice recommend RUN');
  return RUN_ID.test(task) ? { run: task } : { task };
};
