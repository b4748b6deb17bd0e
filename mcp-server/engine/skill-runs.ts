import { UserError } from '../domain/errors.ts';
import type { RunId } from '../domain/ids.ts';
import type { Plan } from '../domain/plan.ts';
import type { Permissions } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import { hasEnded } from '../domain/transitions.ts';
import { checkInput, checkOutput } from '../skills/execute/check-json.ts';
import type { Skill } from '../skills/port.ts';
import type { Core } from './core.ts';
import type { Engine, RunView } from './facade.ts';
import type { SkillParts } from './skill-parts.ts';
import { permissionsFor, requireTools, requireUsable } from './skill-permissions.ts';
import type { SkillRun, SkillsFacade } from './skills-facade.ts';
import { startRun } from './start-run.ts';

/** What running a skill asks of the rest of the engine. */
export type RunFollower = Pick<Engine, 'waitRun' | 'cancelRun'>;

type Input = Parameters<SkillsFacade['runSkill']>[0];

const OUTPUT_CHARS = 2_000_000;

/** Runs a skill, as the façade promises. */
export const runSkill = async (
  core: Core,
  parts: SkillParts,
  follow: RunFollower,
  input: Input,
  signal: AbortSignal,
): Promise<SkillRun> => {
  const { name } = input;
  const skill = await parts.registry.read(name);
  if (!skill) throw new UserError('not-found', `There is no skill ${oneLine(name, 64)}.`);
  requireUsable(skill);
  const startedAt = core.parts.clock.now();
  const run = skill.kind === 'script' ? runScript : runAgent;
  const outcome = await run(core, parts, follow, skill, input, signal);
  return {
    skill: skill.name,
    kind: skill.kind,
    result: null,
    report: null,
    error: null,
    run: null,
    runState: null,
    filesChanged: null,
    ...outcome,
    ok: outcome.state === 'done',
    ms: core.parts.clock.now() - startedAt,
  };
};

type Outcome = Pick<SkillRun, 'state'> & Partial<Omit<SkillRun, 'ok' | 'ms'>>;
type Runner = (
  core: Core,
  parts: SkillParts,
  follow: RunFollower,
  skill: Skill,
  input: Input,
  signal: AbortSignal,
) => Promise<Outcome>;

const runScript: Runner = async (core, parts, _follow, skill, { input }, signal) => {
  checkInput(skill.manifest.input, input ?? {});
  await parts.registry.noteUse(skill.name);
  const { root } = core.parts.repository;
  const { unconfined } = skill;
  const request = { skill, input: input ?? {}, root, outputChars: OUTPUT_CHARS, unconfined };
  const outcome = await parts.run(request, signal);
  signal.throwIfAborted();
  if (outcome.kind === 'failed')
    return { state: 'failed', error: [outcome.message, outcome.notes].filter(Boolean).join('\n') };
  const wrong = checkOutput(skill.manifest.output, outcome.output);
  return wrong === null
    ? { state: 'done', result: outcome.output }
    : { state: 'failed', result: outcome.output, error: wrong };
};

const runAgent: Runner = async (core, parts, follow, skill, input, signal) => {
  if (skill.manifest.input !== null) checkInput(skill.manifest.input, input.input ?? {});
  const wish = wishOf(input.input);
  const run = await startRun(core, {
    task: oneLine(`${skill.name}: ${wish || skill.description}`, 500),
    options: input.options ?? {},
    key: input.key,
    plan: async (run) => {
      const permissions = permissionsFor(skill, run.options.permissions);
      requireTools(skill, { run, agent: { tier: 'worker', role: 'worker', depth: 1, permissions } }, 'its agent');
      return planOf(skill, wish, permissions);
    },
  });
  await parts.registry.noteUse(skill.name);
  const view = await followed(follow, run.id, input.waitMs, signal);
  const facts = { run: view.run, runState: view.state, filesChanged: view.filesChanged };
  if (!hasEnded(view.state)) return { ...facts, state: 'running' };
  const { report, error } = view;
  const result = skill.manifest.output === null ? null : jsonIn(report ?? '');
  return { ...facts, state: DONE.has(view.state) ? 'done' : 'failed', report, error, result };
};

/** An agent may answer in plain text, or find that there is nothing to do. */
const DONE: ReadonlySet<string> = new Set(['completed', 'answered', 'nothing']);

/** Whoever takes the question back wants no answer: the run is cancelled. */
const followed = async (follow: RunFollower, run: RunId, waitMs: number, signal: AbortSignal): Promise<RunView> => {
  const view = await follow.waitRun(run, waitMs, signal);
  if (signal.aborted && !hasEnded(view.state)) {
    await follow.cancelRun({ run, mode: 'abort' });
    signal.throwIfAborted();
  }
  return view;
};

/** The input as a person would say it. */
const wishOf = (input: unknown): string => {
  if (input === undefined || input === null) return '';
  if (typeof input === 'string') return input.trim();
  const entries = Object.entries(input);
  if (entries.length === 0) return '';
  const [[key, value] = []] = entries;
  return entries.length === 1 && key === 'task' && typeof value === 'string'
    ? value.trim()
    : JSON.stringify(input, null, 1);
};

const planOf = (skill: Skill, wish: string, permissions: Permissions): Plan => ({
  pattern: 'single',
  source: { by: 'workflow', workflow: `skill ${skill.name}` },
  because: `The skill ${skill.name}.`,
  steps: [
    {
      key: 'skill',
      title: skill.name,
      task: taskOf(skill, wish),
      role: 'worker',
      tier: 'worker',
      needs: [],
      toleratesFailure: false,
      parent: null,
      weight: 1,
      temperature: 0.3,
      permissions,
    },
  ],
});

const taskOf = (skill: Skill, wish: string): string => {
  const files = skill.files.filter((path) => path !== 'manifest.json');
  const more = `Its other files, to be read with use_skill: ${files.slice(0, 30).join(', ')}.`;
  const form = `End with a report that is one JSON value of this schema: ${JSON.stringify(skill.manifest.output)}`;
  return [
    wish
      ? `${wish}\n\nDo this by the skill ${skill.name}, whose instructions follow.`
      : `Carry out the skill ${skill.name}, whose instructions follow.`,
    skill.body.trim(),
    ...(files.length > 0 ? [more] : []),
    ...(skill.manifest.output === null ? [] : [form]),
  ].join('\n\n');
};

/** The first JSON value that a report holds as a whole or in a fence; null: there is none. */
const jsonIn = (report: string): unknown => {
  for (const text of [report, ...[...report.matchAll(/```(?:json)?\n([\s\S]*?)```/g)].map(([, inner = '']) => inner)])
    try {
      return JSON.parse(text) as unknown;
    } catch {
      // The next one may be.
    }
  return null;
};
