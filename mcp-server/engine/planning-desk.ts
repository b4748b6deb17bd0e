import { join } from 'node:path';
import { UserError } from '../domain/errors.ts';
import type { RunId } from '../domain/ids.ts';
import type { Plan } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import { notPlaced } from '../planning/distribute-steps.ts';
import { recommend } from '../planning/recommend.ts';
import { rulePlan } from '../planning/rule-plan.ts';
import type { PlannedStep } from '../planning/steps.ts';
import type { Core } from './core.ts';
import type { RunView } from './facade.ts';
import { forecastView, shrunk } from './forecasts.ts';
import { approvePlan, noPlan, replacePlan } from './gate.ts';
import { statsOf } from './make-plan.ts';
import { planView } from './plan-views.ts';
import type { PlanningFacade, RecommendationView, ShrinkHow } from './planning-facade.ts';
import { retryFailedSteps } from './retry-run.ts';
import { idleDistribution, shareOut } from './share-out.ts';
import { runOf } from './views.ts';
import { WorkflowLibrary } from './workflow-library.ts';
import { editedPlan, runWorkflow, saveWorkflow } from './workflow-runs.ts';

/** The part of the façade that is about plans, forecasts and workflows. */
export const planningFacade = (core: Core, view: (run: Run) => Promise<RunView>): PlanningFacade => {
  const { store, repository, bundledWorkflows } = core.parts;
  const library = new WorkflowLibrary({
    own: join(repository.stateDir, 'workflows'),
    bundled: bundledWorkflows ?? join(repository.stateDir, 'no-workflows'),
  });
  const statusOf = async (run: RunId): Promise<RunView> => view(await runOf(store, run));
  return {
    showPlan: async (run) => planView(core, await runOf(store, run)),
    changePlan: async (input) => {
      const run = await runOf(store, input.run);
      const before = await planOf(core, run);
      const { plan, changes } =
        'yaml' in input ? await edited(core, run, before, input.yaml) : await less(core, run, before, input.shrink);
      if (changes.length > 0) await replacePlan(core, run, plan);
      return { plan: await planView(core, run), changes };
    },
    approvePlan: async (run) => {
      await approvePlan(core, await runOf(store, run));
      return statusOf(run);
    },
    waitPlanned: async (run, waitMs, signal) => {
      await waitPlanned(core, run, waitMs, signal);
      return statusOf(run);
    },
    forecast: async (id) => {
      const run = await runOf(store, id);
      return forecastView(core, run, await planOf(core, run));
    },
    recommendPattern: (input) => recommendation(core, input),
    listWorkflows: () => library.list(),
    showWorkflow: (name) => library.show(name),
    checkWorkflow: async (text) => {
      const { ok, faults } = await library.check(text);
      return { ok, faults };
    },
    runWorkflow: async (input) => view(await runWorkflow(core, library, input)),
    saveWorkflow: async ({ run, name }) => ({ path: await saveWorkflow(core, library, await runOf(store, run), name) }),
    retryFailedSteps: async ({ run, budget }) => {
      await retryFailedSteps(core, run, budget);
      return statusOf(run);
    },
  };
};

const planOf = async (core: Core, run: Run): Promise<Plan> => {
  const plan = await core.parts.store.plan(run.id);
  if (!plan) throw noPlan(run);
  return plan;
};

interface Changed {
  readonly plan: Plan;
  /** Empty: it is as it was. */
  readonly changes: readonly string[];
}

/** What the text of a plan does not hold stays as it was. */
const edited = async (core: Core, run: Run, before: Plan, yaml: string): Promise<Changed> => {
  const wanted: Plan = {
    ...(await editedPlan(core, run, yaml)),
    ...(before.complexity ? { complexity: before.complexity } : {}),
    ...(before.budget === undefined ? {} : { budget: before.budget }),
    because: 'You changed the plan.',
  };
  const idle = idleDistribution(run, before, wanted);
  const changes = ['The plan was changed by hand.', ...(idle === null ? [] : [idle])];
  return { plan: await shareOut(core, run, wanted), changes };
};

/** Where a step was to go does not keep it from being joined with another one. */
const less = async (core: Core, run: Run, before: Plan, how: ShrinkHow): Promise<Changed> => {
  const { plan, changes } = await shrunk(core, run, notPlaced(before), how);
  return { plan: changes.length === 0 ? plan : await shareOut(core, run, plan), changes };
};

const waitPlanned = async (core: Core, run: RunId, waitMs: number, signal: AbortSignal): Promise<void> => {
  const { store, clock } = core.parts;
  const planned = new AbortController();
  const stop = store.onEvents((events) => {
    if (events.some((event) => event.run === run && WAITED_FOR.has(event.type))) planned.abort();
  });
  try {
    if ((await runOf(store, run)).state === 'planning')
      await clock.sleep(waitMs, AbortSignal.any([planned.signal, signal]));
  } finally {
    stop();
  }
};

const WAITED_FOR: ReadonlySet<string> = new Set(['run.held', 'run.planned', 'run.ended']);

const recommendation = async (
  core: Core,
  input: { readonly task: string } | { readonly run: RunId },
): Promise<RecommendationView> => {
  const stats = await statsOf(core);
  const shape = 'task' in input ? await shapeOfTask(core, input.task) : await shapeOfRun(core, input.run);
  const { pattern, because, alternatives } = recommend(shape, stats);
  const history = stats.map(({ success, ...rest }) => ({ ...rest, successRate: success }));
  return { pattern, because, alternatives, history };
};

/** By rule: no model is asked. */
const shapeOfTask = async (core: Core, task: string): Promise<{ task: string; steps: readonly PlannedStep[] }> => {
  if (task.trim() === '') throw new UserError('bad-input', 'Say the task.');
  const { repository, settings } = core.parts;
  const { head } = await repository.head();
  const files = await repository.treeOf(head).files();
  return { task, steps: rulePlan({ task, files, maxSteps: settings.maxAgents }) };
};

const shapeOfRun = async (core: Core, id: RunId): Promise<{ task: string; steps: readonly PlannedStep[] }> => {
  const run = await runOf(core.parts.store, id);
  const { steps } = await planOf(core, run);
  return { task: run.task, steps: steps.filter((step) => step.tier === 'worker') };
};
