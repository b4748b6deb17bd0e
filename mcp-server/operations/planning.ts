import { z } from 'zod';
import { UserError } from '../domain/errors.ts';
import type { RunId } from '../domain/ids.ts';
import type { Engine } from '../engine/facade.ts';
import { defineOperation, inputObject, list } from './define.ts';
import { forecastView, planView, recommendationView, remainingView } from './planning-views.ts';
import { startOptions } from './start-options.ts';
import { runView } from './views.ts';

const run = z.string().min(1).describe('The id of a run, such as r-7yvsse83k9m1p7.');
const task = z.string().trim().min(1).max(100_000);

const planCreate = defineOperation({
  name: 'plan_create',
  title: 'Make a plan',
  description:
    'Plans a task without carrying it out: the run waits in state "planned" until plan_approve (or run_start with its id) ' +
    'lets its agents begin; run_cancel drops it. Waits for the plan for up to "seconds"; without one yet, "plan" is null: ' +
    'ask plan_show later. What the planning model spends is the only cost.',
  effect: 'changes',
  idempotent: false,
  input: inputObject({
    task: task.describe('What is to be done, in plain words.'),
    options: startOptions.optional(),
    key: z.string().max(200).optional().describe('Idempotency key: the same key returns the same run.'),
    seconds: z.number().min(0).max(45).default(45),
  }),
  output: z.object({ run: runView, plan: planView.nullable() }),
  handle: async (engine, input, signal) => {
    const { options = {}, seconds, ...rest } = input;
    const planning = { ...options.planning, gate: 'ask' as const };
    const started = await engine.startRun({ ...rest, options: { ...options, planning }, key: input.key });
    const view = await engine.waitPlanned(started.run, seconds * 1000, signal);
    return { run: view, plan: view.state === 'planning' ? null : await planOf(engine, view.run) };
  },
});

/** Null when the run ended before it had one. */
const planOf = async (engine: Engine, id: RunId) => {
  try {
    return await engine.showPlan(id);
  } catch (error) {
    if (error instanceof UserError && error.code === 'wrong-state') return null;
    throw error;
  }
};

const planShow = defineOperation({
  name: 'plan_show',
  title: 'Show a plan',
  description:
    'The plan of a run: its steps with level, needs, pattern, tokens and state, why it is so, what it will cost (p50, p90, with the past error of such forecasts), and its text for editing.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ run }),
  output: planView,
  handle: (engine, input) => engine.showPlan(input.run as RunId),
});

const planEdit = defineOperation({
  name: 'plan_edit',
  title: 'Change a plan',
  description:
    'Changes the plan of a run that waits in state "planned": give "yaml" (the text of plan_show, changed; it is checked first), ' +
    'or "shrink" to make it cost less. Returns the new plan with its new forecast, and what was changed.',
  effect: 'changes',
  idempotent: false,
  input: inputObject({
    run,
    yaml: z.string().max(500_000).optional(),
    shrink: z.enum(['fewer-agents', 'cheaper-tiers', 'tighter-steps']).optional(),
  }),
  output: z.object({ plan: planView, changes: list(z.string()) }),
  handle: async (engine, input) => {
    const id = input.run as RunId;
    if ((input.yaml === undefined) === (input.shrink === undefined))
      throw new UserError(
        'bad-input',
        'Give either yaml, the new text of the plan, or shrink, a way to make it smaller.',
      );
    const changed = await engine.changePlan(
      input.yaml === undefined ? { run: id, shrink: input.shrink ?? 'fewer-agents' } : { run: id, yaml: input.yaml },
    );
    return { plan: changed.plan, changes: changed.changes };
  },
});

const planApprove = defineOperation({
  name: 'plan_approve',
  title: 'Carry a plan out',
  description: 'Lets the agents of a run that waits in state "planned" begin. run_cancel drops it instead.',
  effect: 'changes',
  idempotent: true,
  input: inputObject({ run }),
  output: runView,
  handle: (engine, input) => engine.approvePlan(input.run as RunId),
});

const forecast = defineOperation({
  name: 'forecast',
  title: 'What a run will cost',
  description:
    'Tokens, wall time, agents per level and disk of a run with a plan, half of the outcomes below p50 and nine in ten below p90, ' +
    'with the past error of such forecasts in this repository; while it goes on, also what remains and when it will end.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ run }),
  output: z.object({
    run: z.string(),
    forecast: forecastView,
    remaining: remainingView.nullable(),
    summary: z.string(),
  }),
  handle: (engine, input) => engine.forecast(input.run as RunId),
});

const patternRecommend = defineOperation({
  name: 'pattern_recommend',
  title: 'Recommend a pattern',
  description:
    'Which pattern fits a task, or the steps of a planned run, and why; with the alternatives, and how each pattern did in this repository so far.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ task: task.optional(), run: run.optional() }),
  output: recommendationView,
  handle: async (engine, input) => {
    if ((input.task === undefined) === (input.run === undefined))
      throw new UserError('bad-input', 'Give either a task or a run.');
    return engine.recommendPattern(
      input.task === undefined ? { run: (input.run ?? '') as RunId } : { task: input.task },
    );
  },
});

const runRetry = defineOperation({
  name: 'run_retry',
  title: 'Retry failed steps',
  description:
    'Takes a run that ended partial or failed up again: its steps that failed or are incomplete (out of tokens), and the steps that need them, are tried by fresh agents; all that was done is kept. "budget" grants more tokens on top of what is left.',
  effect: 'changes',
  idempotent: false,
  input: inputObject({ run, budget: z.int().min(1).optional() }),
  output: runView,
  handle: (engine, input) => engine.retryFailedSteps({ run: input.run as RunId, budget: input.budget }),
});

export const planningOperations = [planCreate, planShow, planEdit, planApprove, forecast, patternRecommend, runRetry];
