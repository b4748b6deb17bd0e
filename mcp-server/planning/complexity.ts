import type { Complexity } from '../domain/plan.ts';
import { counted } from '../domain/text.ts';
import { namedPaths } from './named-paths.ts';
import { isSurvey, type TaskParts, taskParts } from './task-parts.ts';

/** A task's complexity, and what else its words say of the team that it needs. */
export interface TaskSize extends Complexity {
  /** Parts that the task lists or counts; 0: it does neither. */
  readonly named: number;
  /** It speaks of many places without saying how many: only who knows the repository can count them. */
  readonly isOpen: boolean;
  /** It asks for agents that divide their work by themselves. */
  readonly asksToDivide: boolean;
}

const RANKS = ['atomic', 'simple', 'moderate', 'complex', 'enterprise'] as const;
const MOST_CHARS = 20_000;
const BREADTH = /\b(?:all|every|each|whole|entire|everywhere|across|throughout)\b/i;
const OVERHAUL = /\b(?:migrat\w+|rewrit\w+|port|redesign\w*|re-?architect\w*|moderni[sz]\w+|overhaul\w*)\b/i;
const MAKES = /\b(?:implement|build|develop|design|integrate|introduce|create)\b/i;
const SEVERAL = /\b(?:multiple|several|various|many|different)\s+\w+/i;
const DIVIDES = /\b(?:delegat\w+|sub-?agents?|re-?plan\w*|levels of agents)\b/i;
const NUMBER_WORDS = ['two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'];
/** "50 microservices", "500 API endpoints", "three parts": how many of what there is to do. */
const COUNTED = new RegExp(
  `\\b(\\d{1,3}(?:[,.]\\d{3})+|\\d{1,7}|${NUMBER_WORDS.join('|')})\\+?\\s+(?:[\\w-]+\\s+){0,2}?(?:\\w*services?|agents|articles|chapters|classes|components|customers|databases|documents|endpoints|files|folders|functions|issues|items|languages|modules|packages|pages|papers|parts|pieces|places|questions|records|repositories|routes|screens|scripts|sections|steps|tables|tests|workers)\\b`,
  'gi',
);

/** Things that different people would do. */
const CONCERNS: Readonly<Record<string, RegExp>> = {
  authentication: /\b(?:auth\w*|oauth\w*|log-?in|sessions?|permissions?)\b/i,
  data: /\b(?:databases?|schemas?|sql|queries|tables|data model)\b/i,
  interface: /\b(?:ui|frontend|front-end|dashboard|screens?|css|components?)\b/i,
  service: /\b(?:api|rest|graphql|endpoints?|backend|back-end|servers?|microservices?)\b/i,
  tests: /\b(?:tests?|testing|coverage|fuzz\w*)\b/i,
  documents: /\b(?:docs?|documentation|readme|tutorials?|changelog)\b/i,
  operations: /\b(?:deploy\w*|docker\w*|kubernetes|pipelines?|monitoring|metrics|staging|production|downtime)\b/i,
  security: /\b(?:security|vulnerabilit\w+|encrypt\w*|secrets?)\b/i,
  performance: /\b(?:performance|latency|throughput|benchmarks?|caching)\b/i,
  payments: /\b(?:payments?|billing|invoices?|checkout)\b/i,
  messages: /\b(?:e-?mails?|notifications?|queues?|webhooks?)\b/i,
};

interface Hint {
  readonly rank: number;
  readonly because: string;
}

const byParts = (count: number): number => (count <= 1 ? 0 : count === 2 ? 1 : count <= 5 ? 2 : count <= 15 ? 3 : 4);
const bySize = (words: number): number => (words <= 50 ? 0 : words <= 120 ? 1 : words <= 400 ? 2 : 3);
const byFiles = (files: number): number => (files <= 20 ? 1 : files <= 200 ? 2 : files <= 2000 ? 3 : 4);
const byConcerns = (concerns: number): number => (concerns < 3 ? 0 : concerns < 5 ? 2 : concerns < 8 ? 3 : 4);
const byCount = (count: number): number => (count < 10 ? 0 : count < 50 ? 2 : count < 200 ? 3 : 4);
const byComponents = (components: number, folders: number): number => {
  if (components < 2) return 0;
  if (components < 4) return 1;
  return components > 15 ? 4 : folders >= 3 ? 3 : 2;
};

const partHints = ({ by, parts }: TaskParts, words: number): readonly Hint[] => [
  { rank: byParts(parts.length), because: parts.length > 1 ? `${parts.length} parts (${by})` : 'one part' },
  { rank: bySize(words), because: counted(words, 'word') },
];

/** Files and folders of the repository that the task speaks of. */
const componentHints = (said: string, files: readonly string[]): readonly Hint[] => {
  const words = new Set((said.match(/[\w@.-][\w@./-]{1,59}/g) ?? []).map(bare));
  const named = namedPaths(words, files);
  const tops = new Set<string>();
  for (const { tops: some } of named.values()) if (some.size <= 3) for (const top of some) tops.add(top);
  const rank = byComponents(named.size, tops.size);
  if (rank === 0) return [];
  const touches = tops.size > 1 ? `, touches ${tops.size} top-level folders` : '';
  return [{ rank, because: `${counted(named.size, 'component')} named${touches}` }];
};

const bare = (word: string): string => word.replace(/^\.\//, '').replace(/[/.-]+$/, '');

const wordHints = (said: string, files: number): readonly Hint[] => {
  const hints: Hint[] = [];
  if (isSurvey(said))
    hints.push({ rank: Math.min(2, byFiles(files)), because: `a survey of ${counted(files, 'file')}` });
  else if (BREADTH.test(said))
    hints.push({ rank: Math.min(2, byFiles(files)), because: 'it goes through many places' });
  if (OVERHAUL.test(said)) hints.push({ rank: byFiles(files), because: `an overhaul among ${counted(files, 'file')}` });
  const several = SEVERAL.exec(said)?.[0].replace(/\s+/g, ' ');
  if (several) hints.push({ rank: MAKES.test(said) ? 2 : 1, because: `"${several}"` });
  const concerns = Object.keys(CONCERNS).filter((name) => CONCERNS[name]?.test(said));
  if (concerns.length > 1)
    hints.push({
      rank: concerns.length === 2 && MAKES.test(said) ? 1 : byConcerns(concerns.length),
      because: `${concerns.length} concerns (${concerns.join(', ')})`,
    });
  const most = countedIn(said);
  if (most.count >= 10) hints.push({ rank: byCount(most.count), because: most.text });
  return hints;
};

/** The biggest number of things that the task speaks of. */
const countedIn = (said: string): { readonly text: string; readonly count: number } => {
  let most = { text: '', count: 0 };
  for (const [text, number = ''] of said.matchAll(COUNTED)) {
    const word = NUMBER_WORDS.indexOf(number.toLowerCase());
    const count = word < 0 ? Number(number.replace(/[,.]/g, '')) : word + 2;
    if (count > most.count) most = { text: text.replace(/\s+/g, ' '), count };
  }
  return most;
};

/** Pure and quick: it looks at the words of the task and at the names of the files, never into them. */
export const complexity = (task: string, files: readonly string[]): TaskSize => {
  const said = task.slice(0, MOST_CHARS);
  const words = said.split(/\s+/).filter(Boolean).length;
  const parts = taskParts(said, files);
  const hints = [...partHints(parts, words), ...componentHints(said, files), ...wordHints(said, files.length)];
  const rank = Math.max(...hints.map((hint) => hint.rank));
  return {
    level: RANKS[rank] ?? 'enterprise',
    because: hints
      .filter((hint) => hint.rank === rank)
      .map((hint) => hint.because)
      .join(', '),
    named: Math.max(parts.parts.length > 1 ? parts.parts.length : 0, countedIn(said).count),
    isOpen: BREADTH.test(said) || SEVERAL.test(said),
    asksToDivide: DIVIDES.test(said),
  };
};

/** For a person: `complex: 4 components named, touches 3 top-level folders`. */
export const complexityLine = ({ level, because }: Complexity): string => `${level}: ${because}`;
