import { z } from 'zod';
import { UserError } from '../domain/errors.ts';
import type { RunId } from '../domain/ids.ts';
import { defineOperation, inputObject, list } from './define.ts';
import { textFault, workflowValue, workflowView } from './planning-views.ts';
import { startOptions } from './start-options.ts';
import { runView } from './views.ts';

const name = z.string().min(1).max(100).describe('The name of a workflow, such as tdd.');

const workflowList = defineOperation({
  name: 'workflow_list',
  title: 'List workflows',
  description:
    'Workflows of this repository (.coppice/workflows) and those that come with Coppice, with their parameters and what is wrong with them.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({}),
  output: z.object({ workflows: list(workflowView) }),
  handle: async (engine) => ({ workflows: await engine.listWorkflows() }),
});

const workflowShow = defineOperation({
  name: 'workflow_show',
  title: 'Show a workflow',
  description: 'One workflow with its text.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ name }),
  output: z.object({ workflow: workflowView, text: z.string() }),
  handle: (engine, input) => engine.showWorkflow(input.name),
});

const workflowCheck = defineOperation({
  name: 'workflow_check',
  title: 'Check a workflow',
  description: 'What is wrong with a workflow, each fault with its line: one of this repository by name, or a text.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ name: name.optional(), text: z.string().max(500_000).optional() }),
  output: z.object({ ok: z.boolean(), faults: list(textFault) }),
  handle: async (engine, input) => {
    if ((input.name === undefined) === (input.text === undefined))
      throw new UserError('bad-input', 'Give either the name of a workflow or its text.');
    if (input.text === undefined) {
      const { faults } = (await engine.showWorkflow(input.name ?? '')).workflow;
      return { ok: !faults.some(({ severity }) => severity === 'error'), faults };
    }
    const { ok, faults } = await engine.checkWorkflow(input.text);
    return { ok, faults };
  },
});

const workflowRun = defineOperation({
  name: 'workflow_run',
  title: 'Run a workflow',
  description: 'Starts a run that is planned by a workflow. Returns at once; follow it with run_wait or events.',
  effect: 'changes',
  idempotent: false,
  input: inputObject({
    name,
    parameters: z.record(z.string(), workflowValue).default({}),
    options: startOptions.optional(),
    key: z.string().max(200).optional().describe('Idempotency key: the same key returns the same run.'),
  }),
  output: runView,
  handle: (engine, input) => engine.runWorkflow({ ...input, options: input.options ?? {}, key: input.key }),
});

const workflowSave = defineOperation({
  name: 'workflow_save',
  title: 'Save a run as a workflow',
  description:
    'Writes the plan of a run as a new workflow of this repository; the task of the run becomes its parameter.',
  effect: 'changes',
  idempotent: false,
  input: inputObject({ run: z.string().min(1), name }),
  output: z.object({ path: z.string() }),
  handle: (engine, input) => engine.saveWorkflow({ run: input.run as RunId, name: input.name }),
});

export const workflowOperations = [workflowList, workflowShow, workflowCheck, workflowRun, workflowSave];
