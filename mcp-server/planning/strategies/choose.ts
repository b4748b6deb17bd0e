import { UserError } from '../../domain/errors.ts';
import type { Complexity } from '../../domain/plan.ts';
import { oneLine } from '../../domain/text.ts';
import { analysis } from './analysis.ts';
import { planning } from './planning.ts';
import { research } from './research.ts';
import { software } from './software.ts';
import type { Phase, Strategy } from './strategy.ts';

/** The domains that there are; the first is taken where nothing speaks for another. */
export const STRATEGIES: readonly Strategy[] = [software, research, analysis, planning];

export interface ChosenStrategy {
  readonly strategy: Strategy;
  /** For a person: `research: the task begins with "Investigate" and says "sources"`. */
  readonly because: string;
}

/** Throws UserError `bad-input` for a name that none has. */
export const strategyNamed = (name: string): Strategy => {
  const wanted = name.trim().toLowerCase();
  const found = STRATEGIES.find((strategy) => strategy.name === wanted);
  if (found) return found;
  const names = STRATEGIES.map((strategy) => strategy.name).join(', ');
  throw new UserError('bad-input', `There is no domain "${oneLine(name, 40)}". Domains: ${names}.`);
};

const MOST_CHARS = 20_000;
/** A task that opens with a domain's own verb says more than three of its words elsewhere. */
const OPENING = 3;

interface Score {
  readonly strategy: Strategy;
  readonly points: number;
  readonly opening: string;
  readonly words: readonly string[];
}

const score = (task: string, strategy: Strategy): Score => {
  const opening = strategy.opens.exec(task)?.[0].trim() ?? '';
  const words = [...new Set((task.match(strategy.signs) ?? []).map((word) => word.toLowerCase()))];
  return { strategy, opening, words, points: words.length + (opening ? OPENING : 0) };
};

const reasons = ({ opening, words }: Score): string => {
  const said = words.filter((word) => word !== opening.toLowerCase()).slice(0, 4);
  return [
    ...(opening ? [`begins with "${opening}"`] : []),
    ...(said.length > 0 ? [`says ${said.map((word) => `"${word}"`).join(', ')}`] : []),
  ].join(' and ');
};

/** The strategy of a name that a person gave, else the one that the words of the task speak for most. */
export const chooseStrategy = (task: string, name: string | null): ChosenStrategy => {
  if (name !== null) return { strategy: strategyNamed(name), because: `${name.trim().toLowerCase()}: as you wished` };
  const said = task.slice(0, MOST_CHARS);
  const scores = STRATEGIES.map((strategy) => score(said, strategy));
  const best = scores.reduce((best, one) => (one.points > best.points ? one : best));
  if (best.points === 0) return { strategy: software, because: 'software: nothing speaks for another domain' };
  return { strategy: best.strategy, because: `${best.strategy.name}: the task ${reasons(best)}` };
};

const RANKS: readonly Complexity['level'][] = ['atomic', 'simple', 'moderate', 'complex', 'enterprise'];

/** Phases that a task of this complexity is worth; none for an atomic or simple one. Needs name only phases that are there. */
export const phasesFor = (strategy: Strategy, level: Complexity['level']): readonly Phase[] => {
  const rank = RANKS.indexOf(level);
  const all = new Map(strategy.phases.map((phase) => [phase.key, phase]));
  const taken = strategy.phases.filter((phase) => RANKS.indexOf(phase.from) <= rank);
  const there = new Set(taken.map(({ key }) => key));
  const resolve = (key: string): readonly string[] =>
    there.has(key) ? [key] : (all.get(key)?.needs ?? []).flatMap(resolve);
  return taken.map((phase) => ({ ...phase, needs: [...new Set(phase.needs.flatMap(resolve))] }));
};

/** Who of a domain should do a step with this text: its role, and what it should be good at. */
export const specialistFor = (
  strategy: Strategy,
  text: string,
): { readonly role: string; readonly capabilities: readonly string[] } => {
  const fits = strategy.specialisations.find(({ when }) => when.test(text));
  return { role: fits?.role ?? 'worker', capabilities: fits ? [fits.capability] : [] };
};
