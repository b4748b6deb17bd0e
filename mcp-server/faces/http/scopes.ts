import type { Operation } from '../../operations/define.ts';

/** What a client over HTTP may do; each scope holds those before it. */
export const SCOPES = ['read', 'skills', 'run', 'land'] as const;
export type Scope = (typeof SCOPES)[number];

/** What the person reads beside a scope. */
export const SCOPE_WORDS: Readonly<Record<Scope, string>> = {
  read: 'look at runs, agents, events and skills',
  skills: 'and call skills',
  run: 'and start, steer and cancel runs, on the servers and with the permissions of the settings',
  land: "and everything else: land, discard, trust skills, and change a run's server and permissions",
};

/**
 * Where an operation's scope is not what its effect says. `setup_check` reads, but reaches out to a server that the
 * caller names, and so does a search of the hub; cancelling a run destroys nothing that was committed; landing and saving a workflow write into the
 * person's own files.
 */
const BY_NAME: Readonly<Record<string, Scope>> = {
  setup_check: 'run',
  run_cancel: 'run',
  review_land: 'land',
  workflow_save: 'land',
  skill_run: 'skills',
  skill_hub: 'run',
};

/** The scope that an operation needs. What is not known to be less is for `land`. */
export const scopeOf = (operation: Pick<Operation, 'name' | 'effect'>): Scope => {
  const named = BY_NAME[operation.name];
  if (named) return named;
  if (operation.effect === 'reads') return 'read';
  // Other changes of skills widen what agents may do: pin, trust, import.
  return operation.effect === 'destroys' || operation.name.startsWith('skill_') ? 'land' : 'run';
};

/** Whether `held` holds `needed`. */
export const includes = (held: Scope, needed: Scope): boolean => SCOPES.indexOf(held) >= SCOPES.indexOf(needed);

/** Options of a run that go beyond the person's settings: they send code away, or let agents run programs. */
const PERSONAL_OPTIONS = ['server', 'permissions', 'planning.servers'] as const;

const isGiven = (values: unknown, [first = '', ...rest]: readonly string[]): boolean =>
  typeof values === 'object' &&
  values !== null &&
  first in values &&
  (rest.length === 0 || isGiven((values as Record<string, unknown>)[first], rest));

/** Why this scope may not call the operation with this input; null when it may. Says which scope would. */
export const refusalOf = (
  held: Scope,
  operation: Pick<Operation, 'name' | 'effect'>,
  input: unknown,
): { readonly needs: Scope; readonly message: string } | null => {
  const needs = scopeOf(operation);
  if (!includes(held, needs))
    return { needs, message: `${operation.name} needs a token of the scope "${needs}"; this one has "${held}".` };
  const { options, yaml } = (input ?? {}) as { options?: unknown; yaml?: unknown };
  if (operation.name === 'plan_edit' && yaml !== undefined && !includes(held, 'land'))
    return { needs: 'land', message: 'The text of a plan can name servers: that needs a token of the scope "land".' };
  const asked = PERSONAL_OPTIONS.find((key) => isGiven(options, key.split('.')));
  if (asked === undefined || includes(held, 'land')) return null;
  return {
    needs: 'land',
    message: `"${asked}" is set by the person who owns the repository, or with a token of the scope "land".`,
  };
};
