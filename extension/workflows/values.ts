import type { WorkflowParameter, WorkflowValue } from '../plans/operations.ts';

/** Names of workflows: they become parts of file names and of step keys. */
const NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;

/** What is wrong with the name of a new workflow; undefined when it is good. */
export const nameFault = (name: string, taken: readonly string[]): string | undefined => {
  if (!NAME.test(name)) return 'Lower-case letters, digits and hyphens, at most 40 characters.';
  return taken.includes(name) ? `There is a workflow ${name} already.` : undefined;
};

/** A name made of a task, for the person to change. */
export const nameFrom = (text: string): string =>
  text
    .toLowerCase()
    .normalize('NFKD')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 40)
    .replace(/-+$/, '');

/** A value as a person types it: a list has commas between its items. */
export const valueText = (value: WorkflowValue | undefined): string =>
  value === undefined ? '' : Array.isArray(value) ? value.join(', ') : String(value);

/** What a person typed for a parameter; undefined: leave it to its default. The default says what kind of value it is. */
export const valueOf = (text: string, parameter: WorkflowParameter): WorkflowValue | undefined => {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const { default: usual } = parameter;
  if (typeof usual === 'number') return Number(trimmed);
  if (typeof usual === 'boolean') return /^(true|yes|on|1)$/i.test(trimmed);
  if (Array.isArray(usual))
    return trimmed
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean);
  return trimmed;
};

/** What is wrong with what a person types for a parameter; undefined when it is good. */
export const valueFault = (text: string, parameter: WorkflowParameter): string | undefined => {
  const isMissing = text.trim() === '';
  if (isMissing) return parameter.required && parameter.default === undefined ? 'This is needed.' : undefined;
  if (typeof parameter.default === 'number' && !Number.isFinite(Number(text.trim()))) return 'A number is needed.';
  return undefined;
};

/** The text of a new workflow, with each part explained by its example. */
export const templateOf = (name: string): string => `name: ${name}
description: What this workflow is for, in one sentence.
parameters:
  goal:
    description: What it is to reach
    required: true
nodes:
  look:
    title: look around
    role: researcher
    budget: 30
    prompt: |
      Find out what in this repository bears on this: {{goal}}
      Change no file. Your report is what you found, with paths.
  change:
    title: make the change
    role: developer
    needs: [look]
    budget: 50
    retries: 1
    prompt: |
      Do this, with the report that you were given: {{goal}}
  check:
    title: check the change
    role: reviewer
    tier: executive
    needs: [change]
    budget: 20
    temperature: 0.2
    prompt: |
      Check that this was reached, and say what is still open: {{goal}}
`;
