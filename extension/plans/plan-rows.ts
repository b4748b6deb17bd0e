import { type Icon, WARNING } from '../describe.ts';
import { count, escapeMarkdown, oneLine, tokens } from '../format.ts';
import {
  changeLine,
  forecastLine,
  forecastLines,
  levelLabel,
  planStepDescription,
  stepIcon,
  stepTooltip,
} from './describe-plan.ts';
import type { Forecast, PlanView, StepView } from './operations.ts';

/** A line of the Plan view; its children come with it. */
export interface PlanRow {
  readonly id: string;
  readonly label: string;
  readonly description?: string;
  readonly icon?: Icon;
  /** Markdown. */
  readonly tooltip?: string;
  readonly children?: readonly PlanRow[];
  readonly isOpen?: boolean;
  /** Of a step that has one: its conversation can be opened. */
  readonly agent?: string;
}

/** What the last change of a plan did. */
export interface PlanChange {
  readonly before: Forecast;
  readonly changes: readonly string[];
}

/** The whole plan: what it costs, what was changed, why it is so, what cannot be undone, and its steps level by level. */
export const planRows = (plan: PlanView, change: PlanChange | undefined): readonly PlanRow[] => [
  forecastRow(plan.forecast),
  ...(change ? [changeRow(change, plan.forecast)] : []),
  patternRow(plan),
  ...undoRow(plan),
  ...levelRows(plan),
];

const forecastRow = (forecast: Forecast): PlanRow => ({
  id: 'forecast',
  label: 'Forecast',
  description: forecastLine(forecast),
  icon: { name: 'graph' },
  tooltip: 'Half of such runs cost less than the first number (p50), nine in ten less than the second (p90).',
  children: [
    ...forecastLines(forecast).map(
      ([label, description]): PlanRow => ({
        id: `forecast:${label}`,
        label,
        description,
        tooltip: `${label}: ${escapeMarkdown(description)}`,
      }),
    ),
    ...forecast.notes.map(
      (note, index): PlanRow => ({
        id: `forecast:note:${index}`,
        label: note,
        icon: { name: 'info' },
        tooltip: escapeMarkdown(note),
      }),
    ),
  ],
});

const changeRow = ({ before, changes }: PlanChange, after: Forecast): PlanRow => ({
  id: 'changed',
  label: 'Changed',
  description: changeLine(before, after),
  icon: { name: 'arrow-swap', color: 'charts.blue' },
  isOpen: true,
  children: changes.map(
    (text, index): PlanRow => ({ id: `changed:${index}`, label: oneLine(text, 300), tooltip: escapeMarkdown(text) }),
  ),
});

const patternRow = (plan: PlanView): PlanRow => {
  const cached = plan.cachedAt === null ? [] : [['Taken from', 'an earlier run of the same task and commit'] as const];
  const facts = [
    ['Why', plan.because],
    ['Made by', plan.by],
    ['Complexity', plan.complexity ? `${plan.complexity.level}: ${plan.complexity.because}` : ''],
    ...cached,
  ] as const;
  return {
    id: 'pattern',
    label: `Pattern: ${plan.pattern}`,
    description: oneLine(plan.because, 200),
    icon: { name: 'type-hierarchy-sub' },
    tooltip: escapeMarkdown(plan.because),
    children: facts
      .filter(([, value]) => value !== '')
      .map(
        ([label, value]): PlanRow => ({
          id: `pattern:${label}`,
          label,
          description: value,
          tooltip: `${label}: ${escapeMarkdown(value)}`,
        }),
      ),
  };
};

const undoRow = (plan: PlanView): readonly PlanRow[] =>
  plan.cannotUndo.length === 0
    ? []
    : [
        {
          id: 'cannot-undo',
          label: `${count(plan.cannotUndo.length, 'step')} cannot be undone`,
          description: plan.cannotUndo.join(', '),
          icon: { name: 'warning', color: WARNING },
          tooltip: `If their saga fails, what they did stays: ${escapeMarkdown(plan.cannotUndo.join(', '))}`,
        },
      ];

const levelRows = (plan: PlanView): readonly PlanRow[] => {
  const byLevel = [...Map.groupBy(plan.steps, (step) => step.level)].toSorted(([a], [b]) => a - b);
  return byLevel.map(([level, steps]): PlanRow => {
    const said = plan.forecast.levels.find((one) => one.level === level);
    return {
      id: `level:${level}`,
      label: levelLabel(plan.forecast, level),
      description: [
        tierWords(steps),
        ...(said ? [`${tokens(Math.round(said.tokens.p50))} to ${tokens(Math.round(said.tokens.p90))} tokens`] : []),
      ].join(' · '),
      icon: { name: 'layers' },
      isOpen: true,
      children: steps.map((step) => stepRow(plan, step)),
    };
  });
};

const tierWords = (steps: readonly StepView[]): string =>
  [...Map.groupBy(steps, (step) => step.tier)].map(([tier, ones]) => count(ones.length, tier)).join(', ');

const stepRow = (plan: PlanView, step: StepView): PlanRow => ({
  id: `step:${step.key}`,
  label: oneLine(step.title, 80),
  description: planStepDescription(plan, step),
  icon: stepIcon(step),
  tooltip: stepTooltip(plan, step),
  ...(step.agent === null ? {} : { agent: step.agent }),
});
