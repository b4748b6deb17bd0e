import type { Join } from '../../domain/plan.ts';
import { oneLine } from '../../domain/text.ts';
import type { PlannedStep } from '../steps.ts';
import { below, type Fragment, type Scope, type Unit, unitsOf, withOneExit } from './fragment.ts';
import { reduced, reductionLevels } from './reduce.ts';
import { mapSteps, type Part, type ScatterGatherSpec } from './spec.ts';

/** What whoever is asked is told, so that a processor can read the answer. */
const ANSWER_LINE: Readonly<Record<string, string>> = {
  vote: 'End your report with one line that holds nothing but your answer in as few words as possible: "Answer: …".',
  'weighted-average': 'End your report with one line that holds nothing but your number: "Answer: …".',
};

const saying = (unit: Unit, line: string | undefined): Unit => {
  if (line === undefined) return unit;
  const exits = new Set(unit.fragment.exits);
  const steps = unit.fragment.steps.map((step) =>
    exits.has(step.key) && step.work?.kind !== 'compute' ? { ...step, task: `${step.task}\n\n${line}` } : step,
  );
  return { ...unit, fragment: { ...unit.fragment, steps } };
};

const joinOf = (spec: ScatterGatherSpec): Join | undefined => {
  const quorum = spec.quorum ? Math.min(Math.max(1, Math.floor(spec.quorum)), spec.voices.length) : null;
  const withinMs = spec.withinMs ?? null;
  return quorum === null && withinMs === null ? undefined : { quorum, withinMs };
};

/** Everybody who is asked, side by side, and one step that makes one answer of theirs; it need not wait for all. */
export const scatterGatherFragment = (spec: ScatterGatherSpec, scope: Scope): Fragment => {
  const join = joinOf(spec);
  const levels = Math.min(1, reductionLevels(spec.voices.length, spec.gather, scope));
  const inside = below(scope, levels);
  const units = unitsOf(spec.voices, inside).map((unit) =>
    saying(withOneExit(unit, inside), ANSWER_LINE[spec.gather.by]),
  );
  return reduced(units, { fanIn: units.length, ...spec.gather }, scope, join);
};

/** Who is asked, and how; what is absent is as in the question. */
export interface Voice {
  readonly key?: string;
  readonly title?: string;
  readonly role?: string;
  readonly server?: string;
  readonly model?: string;
  readonly temperature?: number;
  readonly capabilities?: readonly string[];
  readonly skills?: readonly string[];
  /** The point of view that it takes: "as somebody who must operate it". */
  readonly view?: string;
}

const ALONE =
  'Several agents get this question, each on its own, and none sees the answers of the others. Put your whole answer into your report; leave the files as they are.';

const asked = (step: PlannedStep, { key: _key, title: _title, view, ...how }: Voice): PlannedStep => ({
  ...step,
  ...how,
  task: [step.task, ...(view === undefined ? [] : [`Answer from this point of view: ${view}`]), ALONE].join('\n\n'),
});

/** The same question, a step or a whole pattern, for each voice. */
export const askEach = (question: Part, voices: readonly Voice[]): readonly Part[] =>
  voices.map((voice, index) => ({
    ...mapSteps(question, (step) => asked(step, voice)),
    key: voice.key ?? `${question.key}-${index + 1}`,
    title: oneLine(voice.title ?? `${question.title}: ${voice.role ?? voice.model ?? `answer ${index + 1}`}`, 60),
  }));
