import { UserError } from '../domain/errors.ts';
import { newId, type RunId, randomSuffix } from '../domain/ids.ts';
import type { Plan } from '../domain/plan.ts';
import { type Permissions, type PlanningOptions, planningOf, type Run, type RunOptions } from '../domain/run.ts';
import { strategyNamed } from '../planning/strategies/choose.ts';
import type { NewRun, Tx } from '../store/port.ts';
import { planAnswerTokens } from './conversation.ts';
import type { Core } from './core.ts';
import type { StartOptions } from './facade.ts';
import { offerPlan } from './gate.ts';
import { cacheKeyOf, complexityOf, distribute, teamOf } from './make-plan.ts';
import { planByRule } from './plan-outcome.ts';
import { skillOffer } from './skill-desk.ts';
import { asAgent, createdEvent, newAgent, turnJob } from './spawn.ts';

/** Below this not even one agent could read its task and answer. */
const LEAST_BUDGET = 1000;
const PLANNER_SHARE = 0.25;
/** For its prompt, a second try and all that is not the answer itself. */
const PLANNER_TOKENS = 16_000;

/** Starts a run and returns its row; the same key returns the run that it started before. */
export const startRun = async (
  core: Core,
  input: {
    readonly task: string;
    readonly options: StartOptions;
    readonly key?: string | undefined;
    /** A plan that is there already, made for the run as it will be. */
    readonly plan?: (draft: Run) => Promise<Plan>;
  },
): Promise<Run> => {
  const { store, repository } = core.parts;
  const before = input.key === undefined ? undefined : await store.runByKey(input.key);
  if (before) return before;
  const skills = core.parts.skills && skillOffer(core.parts.skills.registry);
  const options = { ...optionsOf(core.parts.settings, input.options), ...(skills ? { skills } : {}) };
  if (options.budget < LEAST_BUDGET)
    throw new UserError(
      'budget-too-small',
      `A budget of ${options.budget} tokens cannot pay for one turn. Grant at least ${LEAST_BUDGET}.`,
    );
  const { domain } = planningOf(options);
  if (domain !== null) strategyNamed(domain);
  await (await core.parts.endpoint(options.server, options.model)).facts();
  const { branch: baseBranch, head: baseCommit } = await repository.head();
  const team = input.plan ? null : await teamOf(core, { task: input.task, baseCommit, options });
  const { random, clock } = core.parts;
  const row: NewRun = {
    id: newId('run', core.parts),
    key: input.key ?? null,
    task: input.task,
    options: { ...options, ...(team ? { team } : {}) },
    baseBranch,
    baseCommit,
    branch: `coppice/${slug(input.task)}-${randomSuffix(random, 6)}`,
    createdAt: clock.now(),
  };
  const id = await insertRun(core, row, input.plan);
  core.wake();
  const run = await store.run(id);
  if (!run) throw new Error('The run that was just inserted is gone.');
  return run;
};

/** Returns the id of the run that there is for the key now: this one, or one that was quicker. */
const insertRun = async (core: Core, row: NewRun, given?: (draft: Run) => Promise<Plan>): Promise<RunId> => {
  const { store, clock } = core.parts;
  const draft = asRun(row);
  const plan = given ? await given(draft) : await readyPlan(core, draft);
  const offer = plan && (await offerPlan(core, draft, plan));
  return store.transaction(async (tx) => {
    const quicker = row.key === null ? undefined : await tx.runByKey(row.key);
    if (quicker) return quicker.id;
    await tx.insertRun(row);
    await tx.emit(clock.now(), [
      { type: 'run.created', run: row.id, agent: null, task: row.task, branch: row.branch, budget: row.options.budget },
    ]);
    await (offer ? offer(tx) : insertPlanner(core, tx, draft));
    // On a server that is known it begins in this very transaction.
    core.wake();
    return row.id;
  });
};

/** A plan that needs no model: of an earlier run, or by rule for a task that one agent does. */
const readyPlan = async (core: Core, draft: Run): Promise<Plan | null> => {
  const { pattern, workers, cache } = planningOf(draft.options);
  if (draft.options.maxAgents === 1 || draft.options.team?.level === 'atomic')
    return planByRule(core, draft, (await complexityOf(core, draft)).because);
  if (workers === 1 && pattern === null) return planByRule(core, draft, 'You wished for one worker.');
  if (!cache) return null;
  const kept = await core.parts.store.cachedPlan(cacheKeyOf(draft));
  return kept ? distribute(core, draft, { ...onNoServer(kept.plan), cachedAt: kept.createdAt }) : null;
};

/** The servers are of the run that made the plan; this one has its own. */
const onNoServer = ({ distribution: _distribution, placed: _placed, ...plan }: Plan): Plan => ({
  ...plan,
  steps: plan.steps.map(({ server: _server, model: _model, ...step }) => step),
});

const insertPlanner = async (core: Core, tx: Tx, run: Run): Promise<void> => {
  const { clock } = core.parts;
  const spec = {
    parent: null,
    tier: 'planner',
    role: 'planner',
    name: 'plan',
    task: run.task,
    temperature: 0.3,
    step: null,
    start: run.baseCommit,
  } as const;
  const planner = newAgent(core.parts, run, spec, 'ready');
  await tx.insertAgents([planner]);
  const tokens = Math.min(PLANNER_TOKENS + 2 * planAnswerTokens(run), Math.floor(run.options.budget * PLANNER_SHARE));
  await tx.grant(run.id, planner.id, tokens, clock.now());
  await tx.enqueue([turnJob(core.parts, run, asAgent(planner))], clock.now());
  await tx.emit(clock.now(), [createdEvent(planner)]);
};

const asRun = (row: NewRun): Run => ({
  ...row,
  state: 'planning',
  headCommit: row.baseCommit,
  cancelRequested: 'no',
  report: null,
  error: null,
  review: 'none',
  endedAt: null,
});

/** What is left out comes from the settings; permissions can only be narrowed. */
export const optionsOf = (settings: RunOptions, wanted: StartOptions): RunOptions => {
  const given = said(wanted) as Partial<RunOptions>;
  const permissions = given.permissions ? narrowed(settings.permissions, given.permissions) : settings.permissions;
  const planning = { ...settings.planning, ...said(wanted.planning ?? {}) } as Partial<PlanningOptions>;
  return { ...settings, ...given, permissions, planning };
};

const said = (values: object): object =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

const narrowed = (most: Permissions, wanted: Permissions): Permissions => {
  if (wanted.commands === 'off' || most.commands === 'any') return wanted;
  const allowed = most.commands === 'off' ? [] : most.commands.allowed;
  const asked = wanted.commands === 'any' ? null : wanted.commands.allowed;
  const refused = asked ? asked.filter((program) => !allowed.includes(program)) : ['every program'];
  if (refused.length > 0)
    throw new UserError(
      'permission-denied',
      `The settings of this repository do not let agents run ${refused.join(', ')}. ` +
        'A person can allow it: permissions.commands in .coppice/config.json, or coppice.permissions.commands in the editor.',
    );
  return wanted;
};

/** The first words of the task, as a part of a branch name. */
const slug = (task: string): string => {
  const words = task
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return words.slice(0, 32).replace(/-+$/, '') || 'task';
};
