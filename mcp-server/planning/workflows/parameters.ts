import type { Values } from './placeholders.ts';
import type { Workflow, WorkflowParameter, WorkflowValue } from './workflow.ts';

export type Filled =
  | { readonly ok: true; readonly values: Values }
  | { readonly ok: false; readonly problems: readonly string[] };

/** The values of a workflow's parameters: those that are given, else the defaults. Texts are read as the parameter's kind. */
export const fillParameters = (workflow: Workflow, given: Values): Filled => {
  const parameters = workflow.parameters ?? {};
  const known = Object.keys(parameters);
  const problems = Object.keys(given)
    .filter((name) => !Object.hasOwn(parameters, name))
    .map((name) => `There is no parameter "${name}". Parameters: ${known.join(', ') || 'none'}.`);
  const values: Record<string, WorkflowValue> = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    const value = Object.hasOwn(given, name) ? asKind(parameter, given[name]) : parameter.default;
    if (value === undefined || value === '') {
      if (parameter.required)
        problems.push(
          `The parameter "${name}" must be given${parameter.description ? `: ${parameter.description}` : ''}.`,
        );
      else values[name] = '';
    } else if (parameter.choices && !parameter.choices.includes(value as string))
      problems.push(`"${name}" is ${String(value)}; it must be one of: ${parameter.choices.join(', ')}.`);
    else values[name] = value;
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, values };
};

/** A text from a command line or a form, for a parameter whose default is a list or a number. */
const asKind = (parameter: WorkflowParameter, value: WorkflowValue | undefined): WorkflowValue | undefined => {
  const like = parameter.default ?? parameter.choices?.[0];
  if (typeof value !== 'string' || like === undefined) return value;
  if (Array.isArray(like))
    return value
      .split(/[\n,]/)
      .map((part) => part.trim())
      .filter(Boolean);
  if (typeof like === 'number' && value.trim() !== '' && Number.isFinite(Number(value))) return Number(value);
  if (typeof like === 'boolean' && /^(?:true|false)$/.test(value)) return value === 'true';
  return value;
};
