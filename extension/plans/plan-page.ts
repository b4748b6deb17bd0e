import { count, oneLine } from '../format.ts';
import { changeLine, fate, forecastLines, levelLabel, needsOf, tokensOf } from './describe-plan.ts';
import type { PlanView, StepView } from './operations.ts';
import type { PlanChange } from './plan-rows.ts';

/** A plan as a Markdown page that a person can read from top to bottom: reason, change, cost, then each step by level. */
export const planPage = (plan: PlanView, change: PlanChange | undefined): string =>
  [
    `# Plan: ${oneLine(plan.task, 120)}`,
    plan.state === 'planned' ? '**It waits for your word: no agent has begun.**' : `The run is ${plan.state}.`,
    // The question what becomes of it lies over the first lines, so what it costs comes after.
    `## Pattern: ${plan.pattern}\n\n${list(reasons(plan))}`,
    change ? `## Changed: ${changeLine(change.before, plan.forecast)}\n\n${lines(change.changes)}` : '',
    `## Forecast\n\n${list(forecastLines(plan.forecast))}`,
    plan.forecast.notes.map((note) => `> ${note}`).join('\n'),
    plan.cannotUndo.length > 0 ? `## Cannot be undone\n\n${lines(plan.cannotUndo)}` : '',
    ...levels(plan),
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n');

const list = (rows: readonly (readonly [string, string])[]): string =>
  lines(rows.filter(([, value]) => value !== '').map(([name, value]) => `**${name}:** ${oneLine(value, 400)}`));

const lines = (texts: readonly string[]): string => texts.map((text) => `- ${oneLine(text, 500)}`).join('\n');

const reasons = (plan: PlanView): readonly (readonly [string, string])[] => [
  ['Why', plan.because],
  ['Made by', plan.by],
  ['Complexity', plan.complexity ? `${plan.complexity.level}: ${plan.complexity.because}` : ''],
  ['Taken from', plan.cachedAt === null ? '' : 'an earlier run of the same task and commit'],
];

const levels = (plan: PlanView): readonly string[] =>
  [...Map.groupBy(plan.steps, (step) => step.level)]
    .toSorted(([a], [b]) => a - b)
    .map(([level, steps]) => {
      const tiers = [...Map.groupBy(steps, (step) => step.tier)].map(([tier, ones]) => count(ones.length, tier));
      return [
        `## ${levelLabel(plan.forecast, level)}: ${tiers.join(', ')}`,
        ...steps.map((step) => stepBlock(plan, step)),
      ].join('\n\n');
    });

const stepBlock = (plan: PlanView, step: StepView): string => {
  const facts = [
    fate(step) || (step.state === 'pending' ? '' : step.state),
    tokensOf(plan, step),
    step.role === step.tier ? '' : step.role,
    step.pattern === plan.pattern ? '' : step.pattern,
    step.attempt > 1 ? `attempt ${step.attempt}` : '',
  ];
  const rows: readonly (readonly [string, string])[] = [
    ['After', needsOf(plan, step).join(', ')],
    ['Starts', step.when ?? ''],
    ['Skills', step.skills.join(', ')],
    ['Server', [step.server, step.model].filter(Boolean).join(', ')],
    ['Undo', step.undo ?? ''],
    ['Undone', step.undone?.result ?? ''],
    ['Task', step.task],
  ];
  return `### ${step.title} (${facts.filter(Boolean).join(', ')})\n\n${list(rows)}`;
};
