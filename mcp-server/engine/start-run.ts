import { UserError } from '../domain/errors.ts';
import { newId, type RunId, randomSuffix } from '../domain/ids.ts';
import type { Permissions, Run, RunOptions } from '../domain/run.ts';
import { complexity } from '../planning/complexity.ts';
import type { NewRun } from '../store/port.ts';
import { planAnswerTokens } from './conversation.ts';
import type { Core } from './core.ts';
import type { StartOptions } from './facade.ts';
import { baseFiles, planByRule } from './plan-outcome.ts';
import { acceptPlan, asAgent, createdEvent, newAgent, turnJob } from './spawn.ts';

/** Below this not even one agent could read its task and answer. */
const LEAST_BUDGET = 1000;
const PLANNER_SHARE = 0.25;
/** For its prompt, a second try and all that is not the answer itself. */
const PLANNER_TOKENS = 16_000;

/** Starts a run and returns its row; the same key returns the run that it started before. */
export const startRun = async (
  core: Core,
  input: { task: string; options: StartOptions; key?: string | undefined },
): Promise<Run> => {
  const { store, repository } = core.parts;
  const before = input.key === undefined ? undefined : await store.runByKey(input.key);
  if (before) return before;
  const options = optionsOf(core.parts.settings, input.options);
  if (options.budget < LEAST_BUDGET)
    throw new UserError(
      'budget-too-small',
      `A budget of ${options.budget} tokens cannot pay for one turn. Grant at least ${LEAST_BUDGET}.`,
    );
  await (await core.parts.endpoint(options.server, options.model)).facts();
  const facts = await repository.facts();
  const { random, clock } = core.parts;
  const row: NewRun = {
    id: newId('run', random),
    key: input.key ?? null,
    task: input.task,
    options,
    baseBranch: facts.branch,
    baseCommit: facts.head,
    branch: `coppice/${slug(input.task)}-${randomSuffix(random, 6)}`,
    createdAt: clock.now(),
  };
  const id = await insertRun(core, row);
  core.wake();
  const run = await store.run(id);
  if (!run) throw new Error('The run that was just inserted is gone.');
  return run;
};

/** Returns the id of the run that there is for the key now: this one, or one that was quicker. */
const insertRun = async (core: Core, row: NewRun): Promise<RunId> => {
  const { store, clock } = core.parts;
  const draft = asRun(row);
  const level = complexity(row.task, await baseFiles(core, row.baseCommit));
  const plan =
    level.level === 'atomic' || row.options.maxAgents === 1 ? await planByRule(core, draft, level.because) : null;
  return store.transaction(async (tx) => {
    const quicker = row.key === null ? undefined : await tx.runByKey(row.key);
    if (quicker) return quicker.id;
    await tx.insertRun(row);
    await tx.emit(clock.now(), [
      { type: 'run.created', run: row.id, agent: null, task: row.task, branch: row.branch, budget: row.options.budget },
    ]);
    if (plan) {
      await tx.moveRun(row.id, 'running');
      await acceptPlan(core.parts, tx, draft, plan);
      return row.id;
    }
    const spec = {
      parent: null,
      tier: 'planner',
      role: 'planner',
      name: 'plan',
      task: row.task,
      temperature: 0.3,
      step: null,
      start: row.baseCommit,
    } as const;
    const planner = newAgent(core.parts, draft, spec, 'ready');
    await tx.insertAgents([planner]);
    const tokens = Math.min(PLANNER_TOKENS + 2 * planAnswerTokens(row), Math.floor(row.options.budget * PLANNER_SHARE));
    await tx.grant(row.id, planner.id, tokens, clock.now());
    await tx.enqueue([turnJob(core.parts, draft, asAgent(planner))], clock.now());
    await tx.emit(clock.now(), [createdEvent(planner)]);
    return row.id;
  });
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
  const given = Object.fromEntries(
    Object.entries(wanted).filter(([, value]) => value !== undefined),
  ) as Partial<RunOptions>;
  const permissions = given.permissions ? narrowed(settings.permissions, given.permissions) : settings.permissions;
  return { ...settings, ...given, permissions };
};

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
