import type { RunView } from '../../mcp-server/operations/views.ts';
import { type Icon, WARNING } from '../describe.ts';
import { count, escapeMarkdown, oneLine, tokens } from '../format.ts';
import type { Forecast, PlanView, Remaining, StepView } from './operations.ts';

const GREY = 'disabledForeground';
const GREEN = 'testing.iconPassed';
const RED = 'testing.iconFailed';
const BLUE = 'charts.blue';

/** Beyond some point only its size says anything: 10,683 % is a hundredfold. */
const offBy = (percent: number): string =>
  percent > 1000 ? `a factor of ${Math.round(percent / 100)}` : `${Math.round(percent)} %`;

/** Half of the outcomes are below the first number, nine in ten below the second. */
const range = ({ p50, p90 }: { p50: number; p90: number }, show: (value: number) => string): string => {
  const [low, high] = [show(p50), show(p90)];
  return low === high ? low : `${low} to ${high}`;
};

/** No more precise than a forecast is: `45 s`, `14 min`, `2.5 h`. */
export const time = (ms: number): string => {
  if (ms < 90_000) return `${Math.max(1, Math.round(ms / 1000))} s`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
};
const whole = (value: number): string => String(Math.round(value));

/** A size for people: `12 KB`, `3.4 MB`. Powers of 1000. */
export const bytes = (size: number): string => {
  if (size < 1000) return `${Math.round(size)} B`;
  const { unit, by } =
    size < 1e6 ? { unit: 'KB', by: 1e3 } : size < 1e9 ? { unit: 'MB', by: 1e6 } : { unit: 'GB', by: 1e9 };
  const value = size / by;
  return `${value < 10 ? value.toFixed(1).replace('.0', '') : Math.round(value)} ${unit}`;
};

/** What a plan costs, in one line. */
export const forecastLine = (forecast: Forecast): string =>
  [
    count(forecast.agents, 'agent'),
    `${range(forecast.tokens, (value) => tokens(Math.round(value)))} tokens`,
    range(forecast.wallMs, time),
  ].join(' · ');

/** What the numbers of a forecast rest on. */
export const basisWords = (forecast: Forecast): string =>
  ({
    prior: 'by general experience: nothing like it was observed here yet',
    history: `by what was observed here (${count(forecast.observations, 'agent')})`,
    mixed: `by what was observed here (${count(forecast.observations, 'agent')}) and general experience`,
  })[forecast.basis];

type PastError = Forecast['pastError']['tokens'];

/** How good such forecasts were in this repository so far. */
export const pastErrorWords = (forecast: Forecast): string => {
  const words = (name: string, error: PastError): string[] =>
    error ? [`${name} off by ${offBy(error.percent)}, ${Math.round(error.belowP90)} % of runs below the p90`] : [];
  const parts = [...words('tokens', forecast.pastError.tokens), ...words('time', forecast.pastError.wallMs)];
  const runs = forecast.pastError.tokens?.runs ?? forecast.pastError.wallMs?.runs ?? 0;
  return parts.length > 0
    ? `${parts.join('; ')} (${count(runs, 'run')})`
    : 'not known yet: no forecast to compare with';
};

const TIERS: readonly string[] = ['executive', 'synthesizer', 'worker'];

/** `Level 2`, and its name where it has one of its own: `Level 4, specialist`. */
export const levelLabel = (forecast: Forecast, level: number): string => {
  const name = forecast.levels.find((one) => one.level === level)?.name ?? '';
  return name === '' || TIERS.includes(name) ? `Level ${level}` : `Level ${level}, ${name}`;
};

/** Agents of each level, from the run down. */
export const levelWords = (forecast: Forecast): string =>
  forecast.levels.map(({ agents, name }) => count(agents, name)).join(', ');

/** The lines of a forecast, each with a name: numbers are p50 and p90. */
export const forecastLines = (forecast: Forecast): readonly (readonly [string, string])[] => {
  const { worktrees, bytes: size } = forecast.disk;
  return [
    ['Agents', `${forecast.agents}: ${levelWords(forecast)}`],
    ['Tokens', pair(forecast.tokens, (value) => tokens(Math.round(value)))],
    ['Wall time', `${pair(forecast.wallMs, time)} at ${count(forecast.slots, 'slot')}`],
    ['Disk', `${range(worktrees, whole)} worktrees${size ? `, ${range(size, bytes)}` : ''}`],
    ['Known', basisWords(forecast)],
    ['Past error', pastErrorWords(forecast)],
  ];
};

const pair = ({ p50, p90 }: { p50: number; p90: number }, show: (value: number) => string): string =>
  `${show(p50)} (p50) · ${show(p90)} (p90)`;

/** Old → new numbers after a plan was changed; only those that differ. */
export const changeLine = (before: Forecast, after: Forecast): string => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['', count(before.agents, 'agent'), count(after.agents, 'agent')],
    ['tokens ', tokens(Math.round(before.tokens.p90)), tokens(Math.round(after.tokens.p90))],
    ['time ', time(before.wallMs.p90), time(after.wallMs.p90)],
  ];
  const changed = rows
    .filter(([, old, fresh]) => old !== fresh)
    .map(([name, old, fresh]) => `${name}${old} → ${fresh}`);
  return changed.length > 0 ? changed.join(' · ') : 'the same cost as before';
};

/** Names of the steps that come before this one, as a person knows them. */
export const needsOf = (plan: Pick<PlanView, 'steps'>, step: StepView): readonly string[] =>
  step.needs.map((key) => plan.steps.find((other) => other.key === key)?.title ?? key);

/** Tokens of a step; those of all that hangs from it are among them. */
export const tokensOf = (plan: Pick<PlanView, 'steps'>, step: StepView): string =>
  `${tokens(step.tokens)} tokens${step.tier !== 'worker' && plan.steps.some(({ parent }) => parent === step.key) ? ' with all below' : ''}`;

/** `after a, b and 3 more`; empty when nothing comes before. */
export const afterWords = (names: readonly string[]): string => {
  if (names.length === 0) return '';
  const shown = names.slice(0, names.length === 3 ? 3 : 2).map((name) => oneLine(name, 24));
  const left = names.length - shown.length;
  return `after ${shown.join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
};

const cannotUndo = (step: StepView): boolean => step.undo?.startsWith('cannot be undone') ?? false;

/** Grey text beside a step of a plan that has not begun, or has. */
export const planStepDescription = (plan: Pick<PlanView, 'steps'>, step: StepView): string =>
  [
    fate(step) || incompleteWords(step) || (step.state === 'pending' ? '' : step.state),
    tokensOf(plan, step),
    afterWords(needsOf(plan, step)),
    step.pattern,
    ...(step.skills.length > 0 ? [`skills: ${step.skills.join(', ')}`] : []),
    ...(step.server ? [step.server] : []),
    cannotUndo(step) ? 'cannot be undone' : '',
  ]
    .filter(Boolean)
    .join(' · ');

/** What befell a step besides success and failure, in words; empty: nothing. */
export const fate = (step: StepView): string => {
  const undone = { running: 'is being undone', done: 'undone', failed: 'could not be undone' };
  if (step.undone) return step.undone.state === 'impossible' ? 'cannot be undone' : undone[step.undone.state];
  if (step.state === 'omitted') return 'left out';
  return step.state === 'skipped' ? 'skipped' : '';
};

/** Of a step that is done only in part; empty: all of it is. */
const incompleteWords = (step: StepView): string => (step.incomplete ? `incomplete: ${step.incomplete}` : '');

/** A sign of its own for a step that was left out or undone; undefined: as its agent is drawn. */
export const fateIcon = (step: StepView): Icon | undefined => {
  if (step.undone) {
    if (step.undone.state === 'running') return { name: 'discard', color: BLUE };
    return step.undone.state === 'done' ? { name: 'discard', color: GREY } : { name: 'warning', color: WARNING };
  }
  return step.state === 'omitted' || step.state === 'skipped' ? { name: 'debug-step-over', color: GREY } : undefined;
};

const STEP_ICONS: Readonly<Record<StepView['state'], Icon>> = {
  pending: { name: 'circle-outline' },
  // Its agent may wait for a slot: what moves is shown among the agents.
  running: { name: 'play-circle', color: BLUE },
  merging: { name: 'git-merge', color: BLUE },
  done: { name: 'pass', color: GREEN },
  failed: { name: 'error', color: RED },
  skipped: { name: 'debug-step-over', color: GREY },
  omitted: { name: 'debug-step-over', color: GREY },
};

export const stepIcon = (step: StepView): Icon =>
  fateIcon(step) ??
  ((step.state === 'pending' && cannotUndo(step)) || step.incomplete
    ? { name: 'warning', color: WARNING }
    : STEP_ICONS[step.state]);

/** Grey text that a step adds to its agent's own: `after a, b · pipeline`. */
export const stepSuffix = (plan: Pick<PlanView, 'steps'>, step: StepView): string =>
  [
    fate(step),
    ...(step.attempt > 1 ? [`attempt ${step.attempt}`] : []),
    afterWords(needsOf(plan, step)),
    step.pattern === 'single' ? '' : step.pattern,
  ]
    .filter(Boolean)
    .join(' · ');

/** Markdown table about a step, for the tooltip of its line or its agent's. */
export const stepTable = (plan: Pick<PlanView, 'steps'>, step: StepView): string => {
  const rows: readonly (readonly [string, string])[] = [
    ['Step', step.key],
    ['After', needsOf(plan, step).join(', ')],
    ['Pattern', step.pattern],
    ['Starts', step.when ?? ''],
    ['Attempt', step.attempt > 1 ? String(step.attempt) : ''],
    ['Tokens', tokens(step.tokens)],
    ['Skills', step.skills.join(', ')],
    ['Server', [step.server, step.model].filter(Boolean).join(', ')],
    ['Incomplete', step.incomplete ?? ''],
    ['Undo', step.undo ?? ''],
    ['Undone', step.undone ? [fate(step), step.undone.result].filter(Boolean).join(': ') : ''],
  ];
  const cells = rows
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `| ${name} | ${escapeMarkdown(oneLine(value, 300))} |`);
  return ['| | |', '|---|---|', ...cells].join('\n');
};

/** Markdown that a person reads when the pointer rests on a step of the plan. */
export const stepTooltip = (plan: Pick<PlanView, 'steps'>, step: StepView): string =>
  [
    `**${escapeMarkdown(step.title)}** — ${step.tier}${step.role === step.tier ? '' : `, ${escapeMarkdown(step.role)}`}`,
    escapeMarkdown(oneLine(step.task, 600)),
    stepTable(plan, step),
  ].join('\n\n');

/** Grey text beside a run whose plan waits. */
export const waitingDescription = (plan: PlanView | undefined): string =>
  plan ? `plan waits for you · ${forecastLine(plan.forecast)}` : 'plan waits for you';

/** What is left of a run that goes on: `about 3 min and 40k tokens left`; empty when nothing is known. */
export const leftWords = (run: RunView, left: Remaining | undefined, now: number): string => {
  if (!left || run.state !== 'running' || run.cancelRequested !== 'no' || left.agents === 0) return '';
  return `about ${time(left.eta.p50 - now)}, ${tokens(Math.round(left.tokens.p50))} tokens left`;
};

/** The same with the range, for a tooltip. */
export const leftTooltip = (left: Remaining | undefined, now: number): string =>
  left
    ? `Left: ${count(left.agents, 'agent')}, ${range(left.tokens, (value) => tokens(Math.round(value)))} tokens, ${range({ p50: left.eta.p50 - now, p90: left.eta.p90 - now }, time)}`
    : '';
