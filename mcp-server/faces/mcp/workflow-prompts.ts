import { UserError } from '../../domain/errors.ts';
import { type PromptEntry, type PromptSource, startingWith } from './prompts.ts';

/** A workflow as `workflow_list` gives it. */
export interface WorkflowEntry {
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<
    Record<
      string,
      {
        readonly description?: string | undefined;
        readonly required?: boolean | undefined;
        readonly choices?: readonly (string | number)[] | undefined;
      }
    >
  >;
  readonly faults: readonly { readonly severity: string }[];
}

/** How old a list may be before it is read again, ms. */
const FRESH_MS = 2000;

/**
 * Workflows without errors as prompts, with their parameters as arguments. The list is read behind the scenes: what is
 * shown is what was there the last time, and a change is told when it is seen.
 */
export const workflowPrompts = (parts: {
  /** As the engine's `listWorkflows`. */
  list(): Promise<readonly WorkflowEntry[]>;
  now(): number;
}): PromptSource => {
  const listeners = new Set<() => void>();
  let entries: readonly PromptEntry[] = [];
  let readAt = Number.NEGATIVE_INFINITY;
  const refresh = (): void => {
    if (parts.now() - readAt < FRESH_MS) return;
    readAt = parts.now();
    void parts.list().then(
      (workflows) => {
        const found = workflows.filter(isSound).map(entryOf);
        const changed = JSON.stringify(found) !== JSON.stringify(entries);
        entries = found;
        if (changed) for (const listener of listeners) listener();
      },
      // An engine that stops has no workflows; another one will be asked.
      () => {},
    );
  };
  refresh();
  return {
    list: () => {
      refresh();
      return entries;
    },
    get: async (name, args) => {
      const entry = entries.find((one) => one.name === name);
      if (!entry) throw new UserError('not-found', `There is no workflow ${name}.`);
      const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== ''));
      return (
        `Start the workflow ${JSON.stringify(name)} with the tool workflow_run and these parameters:\n\n` +
        `${JSON.stringify(given, null, 2)}\n\n` +
        'Call run_wait until the run has ended. Then show me what changed, from review_diff, in a few sentences.'
      );
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
};

const isSound = ({ faults }: WorkflowEntry): boolean => !faults.some(({ severity }) => severity === 'error');

const entryOf = ({ name, description, parameters }: WorkflowEntry): PromptEntry => ({
  name,
  title: name,
  description,
  arguments: Object.entries(parameters).map(([parameter, about]) => {
    const choices = (about.choices ?? []).map(String);
    return {
      name: parameter,
      description: [
        about.description ?? parameter,
        ...(choices.length > 0 ? [`One of: ${choices.join(', ')}.`] : []),
      ].join(' '),
      required: about.required === true,
      ...(choices.length > 0 && { complete: (typed: string) => startingWith(typed, choices) }),
    };
  }),
});
