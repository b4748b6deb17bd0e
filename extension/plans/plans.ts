import type { EngineClient } from '../engine-client.ts';
import type { Change } from '../model.ts';
import type { PlanView, Remaining, StepView } from './operations.ts';
import type { PlanChange } from './plan-rows.ts';

/** What changes a plan or the steps of one. */
const TELLING: ReadonlySet<string> = new Set([
  'run.held',
  'run.planned',
  'run.replanned',
  'run.retried',
  'run.ended',
  'step.retried',
  'step.omitted',
  'step.undone',
]);
/** These come often, and move one step each: the plan is read at the next tick. */
const MOVING: ReadonlySet<string> = new Set(['agent.merged', 'agent.moved']);
/** Between two readings of one plan: those of large runs are large. */
const PACE_MS = 400;
const LEFT_MS = 4000;

/** The plans of the runs that are shown, kept in step with the engine, and what is left of those that go on. */
export class Plans {
  readonly #client: EngineClient;
  readonly #log: (line: string) => void;
  readonly #plans = new Map<string, PlanView>();
  readonly #steps = new Map<string, { readonly run: string; readonly step: StepView }>();
  readonly #left = new Map<string, Remaining>();
  readonly #changes = new Map<string, PlanChange>();
  readonly #stale = new Set<string>();
  readonly #moved = new Set<string>();
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #subscriptions: { dispose(): void }[];
  readonly #ticker: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;

  constructor(client: EngineClient, log: (line: string) => void) {
    this.#client = client;
    this.#log = log;
    this.#ticker = setInterval(() => this.#tick(), LEFT_MS);
    this.#subscriptions = [
      client.onEvents((events) => {
        for (const { type, run } of events) {
          if (run && TELLING.has(type)) this.#mark(run);
          if (run && MOVING.has(type) && this.#plans.has(run)) this.#moved.add(run);
        }
      }),
      client.onState(({ kind }) => {
        if (kind === 'ready') for (const { run } of client.model.activeRuns()) this.#mark(run);
      }),
    ];
  }

  /** The plan of a run as it was last read. */
  plan(run: string): PlanView | undefined {
    return this.#plans.get(run);
  }

  /** The step that an agent carries out; undefined for a planner, a helper that was delegated to, or an earlier try. */
  step(agent: string): { readonly run: string; readonly step: StepView } | undefined {
    return this.#steps.get(agent);
  }

  /** What is left of a run that goes on. */
  left(run: string): Remaining | undefined {
    return this.#left.get(run);
  }

  /** What the last change of a plan that waits has done. */
  lastChange(run: string): PlanChange | undefined {
    return this.#changes.get(run);
  }

  /** Ids of runs and agents whose lines look different now. */
  onChange(listener: (change: Change) => void): { dispose(): void } {
    this.#listeners.add(listener);
    return { dispose: () => this.#listeners.delete(listener) };
  }

  /** Reads the plan of a run unless it is known; says nothing when there is none. */
  want(run: string): void {
    if (!this.#plans.has(run)) this.#mark(run);
  }

  /** Reads the plan of a run now. Throws while there is none. */
  async load(run: string): Promise<PlanView> {
    const plan = await this.#client.call('plan_show', { run });
    this.#apply(plan);
    return plan;
  }

  /** Takes in a plan that was changed here, with what that did. */
  changed(plan: PlanView, change: PlanChange): void {
    this.#changes.set(plan.run, change);
    this.#apply(plan, true);
  }

  dispose(): void {
    clearInterval(this.#ticker);
    clearTimeout(this.#timer);
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #mark(run: string): void {
    this.#stale.add(run);
    this.#timer ??= setTimeout(() => void this.#readNext(), 0);
  }

  async #readNext(): Promise<void> {
    const [run] = this.#stale;
    if (run !== undefined) {
      this.#stale.delete(run);
      try {
        await this.load(run);
      } catch (error) {
        // A run that is being planned has none yet; an event tells when it has.
        if ((error as { code?: string }).code !== 'wrong-state')
          this.#log(`The plan of ${run} could not be read: ${(error as Error).message}`);
      }
    }
    this.#timer = this.#stale.size > 0 ? setTimeout(() => void this.#readNext(), PACE_MS) : undefined;
  }

  #tick(): void {
    for (const run of this.#moved) this.#mark(run);
    this.#moved.clear();
    void this.#readLeft();
  }

  async #readLeft(): Promise<void> {
    if (this.#isAsking || this.#client.state.kind !== 'ready') return;
    this.#isAsking = true;
    try {
      for (const { run, state } of this.#client.model.activeRuns()) {
        if (state !== 'running' || !this.#plans.has(run)) continue;
        const { remaining } = await this.#client.call('forecast', { run });
        if (remaining) this.#left.set(run, remaining);
        else this.#left.delete(run);
        this.#tell(new Set([run]));
      }
    } catch (error) {
      this.#log(`What is left of a run could not be read: ${(error as Error).message}`);
    } finally {
      this.#isAsking = false;
    }
  }

  #apply(plan: PlanView, isChanged = false): void {
    const known = this.#plans.get(plan.run);
    this.#plans.set(plan.run, plan);
    const nodes = new Set<string>();
    if (isChanged || known?.state !== plan.state || known.yaml !== plan.yaml) nodes.add(plan.run);
    for (const step of plan.steps) {
      if (step.agent === null) continue;
      const before = this.#steps.get(step.agent)?.step;
      if (before && JSON.stringify(before) === JSON.stringify(step)) continue;
      this.#steps.set(step.agent, { run: plan.run, step });
      nodes.add(step.agent);
    }
    if (nodes.size > 0) this.#tell(nodes);
  }

  #tell(nodes: ReadonlySet<string>): void {
    const none: ReadonlySet<string> = new Set();
    const change: Change = { nodes, grown: none, budgets: none, budgetsGrown: none, queue: false };
    for (const listener of this.#listeners) listener(change);
  }
}
