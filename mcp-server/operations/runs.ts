import { z } from 'zod';
import { UserError } from '../domain/errors.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import { defineOperation, inputObject } from './define.ts';
import { workflowValue } from './planning-views.ts';
import { startOptions } from './start-options.ts';
import { engineEvent, runView } from './views.ts';

const run = z.string().min(1).describe('The id of a run, such as r-7yvsse83k9m1p7.');

const runStart = defineOperation({
  name: 'run_start',
  title: 'Start a run',
  description:
    'Start a run: one task, planned and carried out by a hierarchy of agents on the local model, on a branch of its own. ' +
    'Give "task"; or "workflow" with its "parameters"; or "plan", the id of a run that waits in state "planned", to carry its plan out. ' +
    '"maxAgents" bounds the planner, the agents of the plan and those that they make; fresh tries and agents that resolve merge conflicts or undo a step come on top. ' +
    'Returns at once with the id of the run; follow it with run_wait or events, then review_diff and review_land.',
  effect: 'changes',
  idempotent: false,
  input: inputObject({
    task: z.string().trim().min(1).max(100_000).optional().describe('What is to be done, in plain words.'),
    plan: z.string().min(1).optional().describe('The id of a run that plan_create has made.'),
    workflow: z.string().min(1).optional().describe('The name of a workflow; workflow_list has them.'),
    parameters: z.record(z.string(), workflowValue).optional().describe('Of the workflow.'),
    options: startOptions.optional(),
    key: z.string().max(200).optional().describe('Idempotency key: the same key returns the same run.'),
  }),
  output: runView,
  handle: (engine, { task, plan, workflow, parameters, options = {}, key }) => {
    const given = [task, plan, workflow].filter((one) => one !== undefined);
    if (given.length !== 1) throw new UserError('bad-input', 'Give one of: task, plan, workflow.');
    if (plan !== undefined) return engine.approvePlan(plan as RunId);
    if (workflow !== undefined)
      return engine.runWorkflow({ name: workflow, parameters: parameters ?? {}, options, key });
    return engine.startRun({ task: task ?? '', options, key });
  },
});

const runStatus = defineOperation({
  name: 'run_status',
  title: 'Status of a run',
  description: 'State, agents, tokens and result of a run.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ run }),
  output: runView,
  handle: (engine, input) => engine.runStatus(input.run as RunId),
});

const runWait = defineOperation({
  name: 'run_wait',
  title: 'Wait for a run',
  description:
    'Waits until the run has ended, at most 45 seconds, and returns its status. Call it again while the run goes on.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ run, seconds: z.number().min(0).max(45).default(45) }),
  output: runView,
  handle: (engine, input, signal) => engine.waitRun(input.run as RunId, input.seconds * 1000, signal),
});

const runCancel = defineOperation({
  name: 'run_cancel',
  title: 'Cancel a run or an agent',
  description:
    'Ends a run, or one agent with its descendants. "wrap-up" lets each running agent report what it has; "abort" stops at once. ' +
    'What was committed stays on its branch.',
  effect: 'destroys',
  idempotent: true,
  input: inputObject({
    run,
    agent: z.string().optional(),
    mode: z.enum(['wrap-up', 'abort']).default('wrap-up'),
  }),
  output: runView,
  handle: (engine, input) =>
    engine.cancelRun({ run: input.run as RunId, agent: input.agent as AgentId | undefined, mode: input.mode }),
});

const runResume = defineOperation({
  name: 'run_resume',
  title: 'Resume a run',
  description:
    'Lets the parked jobs of a run try again, for example after the inference server is back. For paused agents: agent_continue.',
  effect: 'changes',
  idempotent: true,
  input: inputObject({ run }),
  output: runView,
  handle: (engine, input) => engine.resumeRun(input.run as RunId),
});

const runList = defineOperation({
  name: 'run_list',
  title: 'List runs',
  description: 'Runs of this repository, newest first.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ limit: z.int().min(1).max(1000).default(50) }),
  output: z.object({ runs: z.array(runView) }),
  handle: async (engine, input) => ({ runs: [...(await engine.listRuns(input.limit))] }),
});

const events = defineOperation({
  name: 'events',
  title: 'Follow events',
  description:
    'Events with a number above "after", oldest first. With none there, waits for one up to "waitMs" (at most 45,000). ' +
    'Pass the returned "last" as the next "after": nothing is missed across reconnects and restarts.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({
    after: z.int().min(0).default(0),
    waitMs: z.number().min(0).max(45_000).default(0),
    limit: z.int().min(1).max(5000).default(500),
    run: z.string().optional(),
  }),
  output: z.object({ events: z.array(engineEvent), last: z.int() }),
  handle: async (engine, input, signal) => {
    const { events, last } = await engine.events({ ...input, run: input.run as RunId | undefined, signal });
    return { events: [...events], last };
  },
});

export const runOperations = [runStart, runStatus, runWait, runCancel, runResume, runList, events];
