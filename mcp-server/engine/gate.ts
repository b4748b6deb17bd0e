import { UserError } from '../domain/errors.ts';
import type { Forecast } from '../domain/forecast.ts';
import type { Plan } from '../domain/plan.ts';
import { planningOf, type Run } from '../domain/run.ts';
import type { Tx } from '../store/port.ts';
import type { Core } from './core.ts';
import { forecastOf } from './forecasts.ts';
import { acceptPlan } from './spawn.ts';

/**
 * What becomes of a plan that has been made: its agents begin, or it waits for a person's word. Returns the work of the
 * transaction that ends the planning; the run is `planning` or `planned` until then.
 */
export const offerPlan = async (core: Core, run: Run, plan: Plan): Promise<(tx: Tx) => Promise<void>> => {
  const { gate, maxForecastTokens } = planningOf(run.options);
  const forecast = gate === 'ask' || maxForecastTokens !== null ? await forecastOf(core, run, plan) : null;
  const reason = whyAsk(run, plan, forecast);
  return async (tx) => {
    const now = core.parts.clock.now();
    if (forecast) await tx.putForecast(run.id, forecast, now);
    if (reason === null) {
      await tx.moveRun(run.id, 'running');
      return acceptPlan(core.parts, tx, run, plan);
    }
    await storePlan(tx, run, plan);
    await tx.moveRun(run.id, 'planned');
    await tx.emit(now, [{ type: 'run.held', run: run.id, agent: null, steps: plan.steps.length, reason }]);
  };
};

/** Why a person is asked before any agent begins; null: nobody need be. */
const whyAsk = (run: Run, plan: Plan, forecast: Forecast | null): string | null => {
  const { gate, maxForecastTokens } = planningOf(run.options);
  if (gate === 'ask') return 'asked for';
  const p90 = Math.round(forecast?.tokens.p90 ?? 0);
  if (maxForecastTokens !== null && p90 > maxForecastTokens)
    return `the forecast of ${p90} tokens (p90) is above ${maxForecastTokens}`;
  const final = cannotUndo(plan);
  if (final.length > 0 && !run.options.unattended) return `cannot be undone: ${final.join(', ')}`;
  return null;
};

/** Titles of the steps that cannot be undone although their saga may fail. */
export const cannotUndo = (plan: Plan): readonly string[] =>
  plan.steps.filter((step) => step.saga !== undefined && step.undo?.kind === 'none').map((step) => step.title);

const storePlan = async (tx: Tx, run: Run, plan: Plan): Promise<void> =>
  (await tx.plan(run.id)) ? tx.extendPlan(run.id, plan, []) : tx.insertPlan(run.id, plan, []);

/** The agents of a plan that waits begin. Does nothing for a run that has been let go before. */
export const approvePlan = async (core: Core, run: Run): Promise<void> => {
  await core.parts.store.transaction(async (tx) => {
    const current = await tx.run(run.id);
    const plan = await tx.plan(run.id);
    if (!current || !plan || current.state === 'planning') throw noPlan(current ?? run);
    if (current.state === 'running') return;
    if (current.state !== 'planned' || current.cancelRequested !== 'no') throw over(current);
    await tx.moveRun(run.id, 'running');
    await acceptPlan(core.parts, tx, current, plan);
  });
  core.wake();
};

/** Puts another plan in the place of one that waits. */
export const replacePlan = async (core: Core, run: Run, plan: Plan): Promise<void> => {
  const forecast = await forecastOf(core, run, plan);
  await core.parts.store.transaction(async (tx) => {
    const current = await tx.run(run.id);
    if (!current || current.state === 'planning') throw noPlan(current ?? run);
    if (current.state !== 'planned') throw over(current);
    const now = core.parts.clock.now();
    await storePlan(tx, run, plan);
    await tx.putForecast(run.id, forecast, now);
    await tx.emit(now, [
      { type: 'run.held', run: run.id, agent: null, steps: plan.steps.length, reason: 'the plan was changed' },
    ]);
  });
};

export const noPlan = ({ id, endedAt }: Pick<Run, 'id' | 'endedAt'>): UserError =>
  new UserError(
    'wrong-state',
    endedAt === null
      ? `Run ${id} has no plan yet: it is still being made. Try again in a moment.`
      : `Run ${id} ended before it had a plan. Start a new one.`,
  );

const over = (run: Run): UserError =>
  new UserError(
    'wrong-state',
    `The plan of run ${run.id} does not wait any more: the run is ${run.state}. Start a new one to plan it anew.`,
  );
