import { checkWorkflow } from './check-workflow.ts';
import { type Workflow, WorkflowFile } from './workflow.ts';
import { readYaml, schemaFaults, type TextFault } from './yaml-text.ts';

export type { TextFault } from './yaml-text.ts';

/** `faults` of a good workflow are warnings. */
export type ParsedWorkflow =
  | { readonly ok: true; readonly workflow: Workflow; readonly faults: readonly TextFault[] }
  | { readonly ok: false; readonly faults: readonly TextFault[] };

/** Reads a workflow file. `workflows`: names of all that there are, for sub-workflows; null: they are not looked for. */
export const parseWorkflow = (text: string, workflows: ReadonlySet<string> | null = null): ParsedWorkflow => {
  const yaml = readYaml(text);
  const broken = yaml.faults.filter(({ severity }) => severity === 'error');
  if (broken.length > 0) return { ok: false, faults: yaml.faults };
  const parsed = WorkflowFile.safeParse(yaml.value);
  if (!parsed.success) return { ok: false, faults: [...yaml.faults, ...schemaFaults(yaml, parsed.error.issues)] };
  const faults = [...yaml.faults, ...checkWorkflow(yaml, parsed.data, workflows)];
  if (faults.some(({ severity }) => severity === 'error')) return { ok: false, faults };
  return { ok: true, workflow: parsed.data, faults };
};

/** As compilers print them: `file:line:column: error: message`, counted from one. */
export const faultLines = (file: string, faults: readonly TextFault[]): string =>
  faults
    .map(({ line, column, severity, message }) => `${file}:${line + 1}:${column + 1}: ${severity}: ${message}`)
    .join('\n');
