import type { Observation } from '../domain/observation.ts';
import { PATTERNS, type Pattern } from '../domain/plan.ts';
import { counted } from '../domain/text.ts';
import { inOrder, type PlannedStep } from './steps.ts';

/** What is known of a task before it is planned in a pattern. */
export interface TaskShape {
  readonly steps: readonly PlannedStep[];
  /** As the person asked it; empty when it is not known. */
  readonly task?: string;
}

/** How runs of one pattern went in this repository. */
export interface PatternStats {
  readonly pattern: Pattern;
  readonly runs: number;
  /** Part of them that went well, 0 to 1. */
  readonly success: number;
  /** Of one run, on average. */
  readonly tokens: number;
  readonly wallMs: number;
}

export interface Suggestion {
  readonly pattern: Pattern;
  /** One or two sentences for a person. */
  readonly because: string;
}

export interface Recommendation extends Suggestion {
  /** Other patterns that would do, best first. */
  readonly alternatives: readonly Suggestion[];
}

interface Scored extends Suggestion {
  /** 0 to 1. */
  readonly fit: number;
}

/** The shape of steps in numbers that the rules look at. */
interface Shape {
  readonly count: number;
  readonly independent: boolean;
  /** Each needs the one before it. */
  readonly chain: boolean;
  /** Steps on the longest way through. */
  readonly longest: number;
  /** Their tasks differ in little: 0 to 1. */
  readonly alike: number;
  readonly undoable: number;
  readonly manyModels: boolean;
  readonly said: string;
}

const TRANSACTION =
  /\b(?:roll(?:ed|s)?[ -]?back|undo|transaction\w*|all[ -]or[ -]nothing|deploy\w*|promot\w+|provision\w*|releas\w+|publish\w*|migrat\w+|cut[ -]?over)\b/i;
const OPINIONS =
  /\b(?:opinions?|perspectives?|viewpoints?|points? of view|consensus|second opinion|independently|best of|vote|alternatives?|approaches|proposals?|brainstorm\w*|compare)\b/i;
const REDUCES =
  /\b(?:summari[sz]e|summary|aggregat\w+|overall|collect|count|tally|inventory|catalog(?:ue)?|statistics|report on|one (?:list|table|report|document))\b/i;
const STAGES = /\b(?:then|after(?:wards| that)?|next|finally|first|stages?|pipeline|step by step|and only then)\b/i;

const wordsOf = (text: string): ReadonlySet<string> => new Set(text.toLowerCase().match(/[\p{L}\p{N}_]{2,}/gu) ?? []);

/** Steps that are looked at to tell whether they are alike; more say nothing new. */
const MOST_COMPARED = 40;

/** The mean part of words that each task shares with the first one. */
const alikeness = (steps: readonly PlannedStep[]): number => {
  const [first, ...others] = steps.slice(0, MOST_COMPARED).map((step) => wordsOf(step.task.slice(0, 2000)));
  if (!first || others.length === 0) return 0;
  const shared = others.map((other) => {
    const both = [...other].filter((word) => first.has(word)).length;
    return both / Math.max(1, first.size + other.size - both);
  });
  return shared.reduce((sum, part) => sum + part, 0) / shared.length;
};

const longestWay = (steps: readonly PlannedStep[]): number => {
  const length = new Map<string, number>();
  for (const step of inOrder(steps) ?? [])
    length.set(step.key, 1 + Math.max(0, ...step.needs.map((need) => length.get(need) ?? 0)));
  return Math.max(0, ...length.values());
};

const shapeOf = ({ steps, task = '' }: TaskShape): Shape => {
  const keys = new Set(steps.map((step) => step.key));
  const needs = steps.map((step) => step.needs.filter((need) => keys.has(need)));
  const longest = longestWay(steps);
  const models = new Set(steps.map((step) => `${step.server ?? ''} ${step.model ?? ''}`));
  return {
    count: steps.length,
    independent: needs.every((some) => some.length === 0),
    chain: steps.length > 1 && longest === steps.length,
    longest,
    alike: alikeness(steps),
    undoable: steps.filter((step) => step.undo !== undefined || step.saga !== undefined).length,
    manyModels: models.size > 1,
    said: [task, ...steps.slice(0, MOST_COMPARED).map((step) => `${step.title}\n${step.task}`)]
      .join('\n')
      .slice(0, 40_000),
  };
};

type Rule = (shape: Shape) => Scored;

/** As one would say them to somebody: what speaks for the pattern, and how much. */
const weighed = (
  pattern: Pattern,
  base: { readonly fit: number; readonly because: string },
  hints: readonly (readonly [boolean, number, string])[],
): Scored => {
  const speaking = hints.filter(([holds]) => holds);
  const fit = speaking.reduce((sum, [, weight]) => sum + weight, base.fit);
  const reasons = speaking.filter(([, weight]) => weight > 0).map(([, , reason]) => reason);
  const because = reasons.length > 0 ? `${upper(reasons.join(', '))}: ${base.because}` : upper(base.because);
  return { pattern, fit: Math.max(0, Math.min(1, fit)), because: `${because}.` };
};

const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const saga: Rule = ({ chain, undoable, said, count, independent }) =>
  weighed(
    'saga',
    { fit: 0.1, because: 'they stand or fall together, and what was done is undone when one of them fails' },
    [
      [undoable > 0, 0.75, `${undoable} of ${count} steps say how they are undone`],
      [TRANSACTION.test(said), 0.35, 'the task changes things that must not be left half done'],
      [chain, 0.25, 'each step needs the one before it'],
      [independent && undoable === 0, -0.15, ''],
    ],
  );

const pipeline: Rule = ({ chain, longest, count, said, independent }) =>
  weighed('pipeline', { fit: 0.1, because: 'each stage takes up what the one before it made' }, [
    [chain, 0.55, `${count} steps each need the one before`],
    [!chain && longest >= 3 && longest * 2 > count, 0.25, `the longest way goes through ${longest} of ${count} steps`],
    [STAGES.test(said) && !independent, 0.1, 'the task names an order'],
    [independent, -0.1, ''],
  ]);

const mapReduce: Rule = ({ independent, alike, count, said }) =>
  weighed('map-reduce', { fit: 0.15, because: 'the same work is done on each, and one result is made of theirs' }, [
    [independent && alike >= 0.6, 0.4, `${count} steps do the same work on different things`],
    [count >= 8 && independent, 0.1, `there are many of them`],
    [REDUCES.test(said), 0.15, 'the task asks for one result out of many'],
    [!independent, -0.15, ''],
  ]);

const scatterGather: Rule = ({ independent, alike, count, said, manyModels }) =>
  weighed('scatter-gather', { fit: 0.05, because: 'several answer on their own, and the best of it is kept' }, [
    [OPINIONS.test(said), 0.45, 'the task asks for several views'],
    [independent && count > 1 && alike >= 0.9, 0.3, 'the steps ask the same question'],
    [manyModels && independent, 0.15, 'they name several models'],
    [!independent, -0.2, ''],
  ]);

const forkJoin: Rule = ({ independent, count, alike, chain }) =>
  weighed(
    'fork-join',
    { fit: count > 1 ? 0.45 : 0.3, because: 'they are done side by side, and their work is joined' },
    [
      [independent && count > 1, 0.1, `${count} steps do not need each other`],
      [!independent && !chain, 0.1, 'some steps need others, most can go at the same time'],
      [alike < 0.6 && !chain, 0.05, 'each is work of its own'],
      [chain, -0.25, ''],
    ],
  );

const RULES: readonly Rule[] = [saga, pipeline, mapReduce, scatterGather, forkJoin];

/** Fits that differ by no more than this are a close call. */
const CLOSE = 0.15;
/** Fewer runs say nothing. */
const ENOUGH_RUNS = 5;
/** A pattern that went well this much more often tips a close call. */
const BETTER = 0.15;
/** As reliable, and cheaper by this much. */
const CHEAPER = 0.7;

const percent = (part: number): string => `${Math.round(part * 100)} %`;
const ofRuns = (stats: PatternStats): string =>
  `${percent(stats.success)} of its ${counted(stats.runs, 'run')} here went well`;

/** What history says for `other` against `best`; null when it says nothing. */
const tips = (best: PatternStats | undefined, other: PatternStats | undefined): string | null => {
  if (!best || !other || best.runs < ENOUGH_RUNS || other.runs < ENOUGH_RUNS) return null;
  if (other.success >= best.success + BETTER)
    return `${ofRuns(other)}, against ${percent(best.success)} of ${best.pattern}`;
  if (other.success < best.success - 0.02) return null;
  if (other.tokens < best.tokens * CHEAPER)
    return `it went well as often as ${best.pattern} here, for ${percent(other.tokens / best.tokens)} of its tokens`;
  if (other.wallMs < best.wallMs * CHEAPER && other.tokens <= best.tokens)
    return `it went well as often as ${best.pattern} here, in ${percent(other.wallMs / best.wallMs)} of its time`;
  return null;
};

const told = ({ pattern, because }: Scored, stats: PatternStats | undefined): Suggestion => ({
  pattern,
  because: stats && stats.runs >= ENOUGH_RUNS ? `${because} ${upper(ofRuns(stats))}.` : because,
});

/** Alternatives that fit worse than this are not worth naming. */
const WORTH_NAMING = 0.2;

/**
 * The pattern that suits the steps, by rule, with the others that would do. What runs of the patterns came to decides
 * only between two that suit about as well. Without steps, or with one: a single agent.
 */
export const recommend = (shape: TaskShape, stats: readonly PatternStats[] = []): Recommendation => {
  if (shape.steps.length <= 1 && !OPINIONS.test(shape.task ?? ''))
    return { pattern: 'single', because: 'There is only one step: one agent does it.', alternatives: [] };
  const measured = shapeOf(shape);
  const scored = RULES.map((rule) => rule(measured)).sort((a, b) => b.fit - a.fit);
  const statsOf = new Map(stats.map((each) => [each.pattern, each]));
  const [best] = scored;
  if (!best) throw new Error('There is no rule.');
  const rival = scored
    .slice(1)
    .filter((other) => best.fit - other.fit <= CLOSE)
    .map((other) => ({ other, why: tips(statsOf.get(best.pattern), statsOf.get(other.pattern)) }))
    .find(({ why }) => why !== null);
  const chosen = rival?.other ?? best;
  const because = rival
    ? `${chosen.because} It suits about as well as ${best.pattern}, and ${rival.why}.`
    : told(chosen, statsOf.get(chosen.pattern)).because;
  const alternatives = scored
    .filter((other) => other !== chosen && (other.fit >= WORTH_NAMING || other === best))
    .map((other) => told(other, statsOf.get(other.pattern)));
  return { pattern: chosen.pattern, because, alternatives };
};

const KNOWN: ReadonlySet<string> = new Set(PATTERNS);

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / Math.max(1, numbers.length);

/** How each pattern did, from what whole runs (observations without an agent) came to. */
export const patternStats = (observations: readonly Observation[]): readonly PatternStats[] => {
  const runs = observations.filter(({ agent, pattern }) => agent === null && KNOWN.has(pattern));
  return [...Map.groupBy(runs, ({ pattern }) => pattern)].map(([pattern, some]) => ({
    pattern: pattern as Pattern,
    runs: some.length,
    success: some.filter(({ ok }) => ok).length / some.length,
    tokens: Math.round(mean(some.map(({ tokens }) => tokens))),
    wallMs: Math.round(mean(some.map(({ wallMs }) => wallMs))),
  }));
};
