import type { Complexity } from '../domain/plan.ts';
import { isSurvey, taskParts } from './task-parts.ts';

const LEVELS = ['atomic', 'simple', 'moderate', 'complex', 'enterprise'] as const;
const BREADTH = /\b(?:all|every|each|whole|entire|everywhere|across|throughout)\b/i;
const OVERHAUL = /\b(?:migrat\w+|rewrit\w+|port|redesign\w*|re-?architect\w*|moderni[sz]\w+|overhaul\w*)\b/i;

interface Hint {
  readonly rank: number;
  readonly because: string;
}

const byParts = (count: number): number => (count <= 1 ? 0 : count === 2 ? 1 : count <= 5 ? 2 : count <= 15 ? 3 : 4);
const bySize = (words: number): number => (words <= 50 ? 0 : words <= 120 ? 1 : words <= 400 ? 2 : 3);
const byFiles = (files: number): number => (files <= 20 ? 1 : files <= 200 ? 2 : files <= 2000 ? 3 : 4);

/** Pure and quick: it looks at the words of the task and at how many files there are, never into them. */
export const complexity = (task: string, files: readonly string[]): Complexity => {
  const said = task.slice(0, 20_000);
  const words = said.split(/\s+/).filter(Boolean).length;
  const { by, parts } = taskParts(said, files);
  const hints: Hint[] = [
    { rank: byParts(parts.length), because: parts.length > 1 ? `${parts.length} parts (${by})` : 'one part' },
    { rank: bySize(words), because: `${words} words` },
  ];
  if (isSurvey(said))
    hints.push({ rank: Math.min(2, byFiles(files.length)), because: `a survey of ${files.length} files` });
  else if (BREADTH.test(said))
    hints.push({ rank: Math.min(2, byFiles(files.length)), because: 'it goes through many places' });
  if (OVERHAUL.test(said))
    hints.push({ rank: byFiles(files.length), because: `an overhaul among ${files.length} files` });
  const rank = Math.max(...hints.map((hint) => hint.rank));
  return {
    level: LEVELS[rank] ?? 'enterprise',
    because: hints
      .filter((hint) => hint.rank === rank)
      .map((hint) => hint.because)
      .join(', '),
  };
};
