import type { Forecast, PastError, Quantiles, Remaining } from '../../domain/forecast.ts';
import { counted, inTime } from '../../domain/text.ts';
import type { PlanView, StepView } from '../../engine/planning-facade.ts';
import { undoWord } from './plain-lines.ts';
import { displayWidth, fit, human, printable } from './terminal.ts';

/** Where a plan is shown. */
export interface Page {
  readonly columns: number;
  readonly color: boolean;
}

const ICONS: Readonly<Record<StepView['state'], string>> = {
  pending: '·',
  running: '▶',
  merging: '⇄',
  done: '✓',
  failed: '✗',
  skipped: '–',
  omitted: '○',
};
const MOST_NAMES = 3;

/** The plan as lines: what it is and why, its steps below the steps that join their work, and what it will cost. */
export const renderPlan = (plan: PlanView, page: Page): string[] => [
  ...headOf(plan).flatMap((line, at) =>
    wrapped(line, page.columns, '').map((part) => paint(part, at === 0 ? 1 : 0, page)),
  ),
  '',
  ...stepLines(plan, page),
  '',
  ...renderForecast(plan.forecast, page),
];

const headOf = (plan: PlanView): string[] => {
  const levels = Math.max(0, ...plan.steps.map(({ level }) => level));
  const lines = [
    `Plan of ${plan.run}: ${plan.pattern}, ${counted(plan.steps.length, 'step')} on ${counted(levels, 'level')}, made by ${clean(plan.by)}`,
  ];
  if (plan.cachedAt !== null) lines.push(fromCache(plan.cachedAt));
  if (plan.complexity) lines.push(`${plan.complexity.level}: ${clean(plan.complexity.because)}`);
  if (plan.because !== '') lines.push(`${plan.pattern}: ${clean(plan.because)}`);
  if (plan.cannotUndo.length > 0)
    lines.push(`cannot be undone when it fails: ${plan.cannotUndo.map(clean).join(', ')}`);
  return lines;
};

/** What is said of a plan that was taken out of the cache; local time. */
export const fromCache = (at: number): string =>
  `plan of ${dayAndTime(at)} taken from the cache; --no-cache makes a new one`;

interface Row {
  readonly step: StepView;
  readonly indent: number;
  readonly children: readonly StepView[];
}

const stepLines = (plan: PlanView, page: Page): string[] => {
  const titles = new Map(plan.steps.map(({ key, title }) => [key, title]));
  const rows = rowsOf(plan.steps);
  const widest = Math.min(
    Math.max(0, ...rows.map(({ step, indent }) => indent * 2 + displayWidth(clean(step.title)))),
    Math.floor(page.columns / 2),
  );
  return rows.map((row) => stepLine(row, plan, titles, widest, page));
};

/** Who joins the work of others stands above them, as in the tree of agents. */
const rowsOf = (steps: readonly StepView[]): Row[] => {
  const known = new Set(steps.map(({ key }) => key));
  const below = new Map<string | null, StepView[]>();
  for (const step of steps) {
    const parent = step.parent !== null && known.has(step.parent) ? step.parent : null;
    below.set(parent, [...(below.get(parent) ?? []), step]);
  }
  const rows: Row[] = [];
  const open = (below.get(null) ?? []).map((step) => ({ step, indent: 1 })).reverse();
  for (let next = open.pop(); next; next = open.pop()) {
    const children = below.get(next.step.key) ?? [];
    rows.push({ ...next, children });
    const { indent } = next;
    for (const step of children.toReversed()) open.push({ step, indent: indent + 1 });
  }
  return rows;
};

const stepLine = (
  { step, indent, children }: Row,
  plan: PlanView,
  titles: ReadonlyMap<string, string>,
  widest: number,
  page: Page,
): string => {
  const lead = ' '.repeat(Math.min(indent * 2, 24));
  const title = fit(clean(step.title), Math.max(8, widest - indent * 2));
  const gap = ' '.repeat(Math.max(0, widest - indent * 2 - displayWidth(title)));
  const facts = [
    `${step.tier.padEnd(11)} ${(step.tokens > 0 ? human(step.tokens) : '–').padStart(6)}`,
    ...remarksOf(step, plan, titles, children),
  ];
  const text = fit(`${title}${gap}  ${facts.join('  ')}`, Math.max(0, page.columns - lead.length - 2));
  return `${lead}${paint(ICONS[step.state], step.state === 'failed' ? 31 : 36, page)} ${text}`;
};

const remarksOf = (
  step: StepView,
  plan: PlanView,
  titles: ReadonlyMap<string, string>,
  children: readonly StepView[],
): string[] => {
  const own = new Set(children.map(({ key }) => key));
  // That it joins what stands below it, everybody sees.
  const needs = step.needs.filter((key) => !own.has(key)).map((key) => clean(titles.get(key) ?? key));
  const remarks: (string | null)[] = [
    step.pattern === plan.pattern ? null : `[${step.pattern}]`,
    step.attempt > 1 ? `try ${step.attempt}` : null,
    step.state === 'omitted' || step.state === 'skipped' ? step.state : null,
    step.incomplete ? `incomplete: ${step.incomplete}` : null,
    needs.length > 0 ? `after ${namesOf(needs)}` : null,
    step.when,
    step.server === null && step.model === null ? null : `on ${[step.model, step.server].filter(Boolean).join(' at ')}`,
    step.skills.length > 0 ? `skills: ${step.skills.join(', ')}` : null,
    undoOf(step),
  ];
  return remarks.flatMap((remark) => (remark === null ? [] : [clean(remark)]));
};

/** How it was undone, or would be. */
const undoOf = ({ undo, undone }: StepView): string | null => {
  if (undone) return undone.state === 'running' ? 'is being undone' : `${undoWord(undone.state)}: ${undone.result}`;
  if (undo === null) return null;
  return undo.startsWith('cannot') ? `! ${undo}` : `undo: ${undo}`;
};

const namesOf = (names: readonly string[]): string =>
  names.length <= MOST_NAMES
    ? names.join(', ')
    : `${names.slice(0, MOST_NAMES).join(', ')} and ${names.length - MOST_NAMES} more`;

/** What a plan will cost, as a table, and what the numbers rest on. */
export const renderForecast = (forecast: Forecast, page: Page): string[] => {
  const rows: [string, string, string, string][] = [
    ['Forecast', 'p50', 'p90', ''],
    ...forecast.levels.map(({ level, name, agents, tokens }): [string, string, string, string] => [
      `  level ${level}: ${counted(agents, name)}`,
      ...pair(tokens, human),
      'tokens',
    ]),
    [`  ${counted(forecast.agents, 'agent')}`, ...pair(forecast.tokens, human), 'tokens'],
    ['  time', ...pair(forecast.wallMs, inTime), `at ${counted(forecast.slots, 'slot')}`],
    ['  worktrees', ...pair(forecast.disk.worktrees, (n) => String(Math.round(n))), diskOf(forecast.disk.bytes)],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  const table = rows.map(([label, p50, p90, unit]) =>
    `${label.padEnd(width)}  ${p50.padStart(8)}  ${p90.padStart(8)}  ${unit}`.trimEnd(),
  );
  const sentences = [basisOf(forecast), pastOf(forecast), ...forecast.notes].filter((text) => text !== '');
  const [head = '', ...lines] = table.map((line) => fit(line, page.columns));
  return [paint(head, 1, page), ...lines, ...sentences.flatMap((text) => wrapped(clean(text), page.columns, '  '))];
};

/** A text in lines of at most `columns`, each after the lead; a word that is too long is cut. */
const wrapped = (text: string, columns: number, lead: string): string[] => {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? lead + word : `${line} ${word}`;
    if (line === '' || displayWidth(longer) <= columns) line = longer;
    else {
      lines.push(line);
      line = lead + word;
    }
  }
  return [...lines, line].map((one) => fit(one, columns));
};

const pair = ({ p50, p90 }: Quantiles, words: (value: number) => string): [string, string] => [
  words(Math.round(p50)),
  words(Math.round(p90)),
];

const diskOf = (bytes: Quantiles | null): string =>
  bytes === null ? 'of a size that is not known' : `${size(bytes.p50)} to ${size(bytes.p90)} of disk`;

const basisOf = ({ basis, agentsBy, agents, observations }: Forecast): string => {
  if (basis === 'prior') return 'By general experience: nothing of the kind was observed in this repository yet.';
  const seen = `By ${counted(observations, 'observation')} in this repository`;
  if (basis === 'history') return `${seen}.`;
  return agentsBy.prior > 0
    ? `${seen}, and for ${agentsBy.prior} of ${counted(agents, 'agent')} by general experience alone.`
    : `${seen}, which are few: general experience counts as well.`;
};

const pastOf = ({ pastError: { tokens, wallMs } }: Forecast): string => {
  const parts = [offBy('tokens', tokens), offBy('time', wallMs)].filter((text) => text !== '');
  return parts.length > 0 ? `So far forecasts were off here by ${parts.join(', and by ')}.` : '';
};

const offBy = (what: string, past: PastError | null): string =>
  past === null
    ? ''
    : `${past.percent > 999 ? 'more than 1000' : Math.round(past.percent)} % in ${what} (${counted(past.runs, 'run')}, ${Math.round(past.belowP90)} % of them below p90)`;

/** What is left of a run, and when it will be over, in one line; times of day are local. */
export const remainingLine = ({ agents, tokens, wallMs, eta, basis }: Remaining): string =>
  `left: ${counted(agents, 'agent')}, ${human(Math.round(tokens.p50))} tokens (p90 ${human(Math.round(tokens.p90))}), ` +
  `${inTime(wallMs.p50)} (p90 ${inTime(wallMs.p90)}), until ${timeOfDay(eta.p50)} (p90 ${timeOfDay(eta.p90)})` +
  (basis === 'prior' ? ', by general experience' : '');

/** 312 KB, 4.5 MB, 1.2 GB. */
const size = (bytes: number): string => {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1000)} KB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
};

const two = (value: number): string => String(value).padStart(2, '0');

const timeOfDay = (at: number): string => {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
};

const dayAndTime = (at: number): string => {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(at)}`;
};

const clean = (text: string): string => printable(text.replace(/\s+/g, ' ')).trim();

const paint = (text: string, code: number, page: Page): string =>
  page.color && code > 0 ? `\u001b[${code}m${text}\u001b[0m` : text;
