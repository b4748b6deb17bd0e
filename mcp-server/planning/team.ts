import type { Complexity } from '../domain/plan.ts';
import type { Team } from '../domain/run.ts';
import { counted } from '../domain/text.ts';
import type { TaskSize } from './complexity.ts';
import { levelsOf, tiersFor } from './patterns/tiers.ts';

/** What the settings of a run leave for its team. */
export interface TeamBounds {
  readonly maxDepth: number;
  /** The planner is one of them. */
  readonly maxAgents: number;
  readonly maxAgentsPerLevel: number;
  /** Tokens of the whole run. */
  readonly budget: number;
  readonly fanIn: number;
}

/** With less, an agent cannot read much more than its task. */
const AGENT_TOKENS = 8000;
const ANY_DEPTH = 3;

/** Levels of workers and of who joins them. */
const levelsWith = (workers: number, fanIn: number, maxDepth: number): number =>
  1 + levelsOf(tiersFor(workers, { fanIn, maxDepth }));

/** Workers that make the levels which such a task is worth, by the table of the tiers; null: no upper bound. */
const rangeOf = (
  level: Complexity['level'],
  fanIn: number,
): { readonly least: number; readonly most: number | null } => {
  switch (level) {
    case 'atomic':
      return { least: 1, most: 1 };
    case 'simple':
      return { least: 2, most: Math.max(2, fanIn - 1) };
    case 'moderate':
      return { least: fanIn, most: 2 * fanIn - 1 };
    case 'complex':
    case 'enterprise':
      return { least: 2 * fanIn, most: null };
  }
};

interface Room {
  readonly workers: number;
  /** The setting that leaves no more. */
  readonly by: string;
}

/** Workers that the settings have room for, together with who joins them; at least one. */
const roomFor = ({ maxDepth, maxAgents, maxAgentsPerLevel, budget, fanIn }: TeamBounds): Room => {
  const within = (agents: number): number => {
    let workers = Math.max(1, Math.floor(agents));
    for (; workers > 1; workers -= 1) {
      const { synthesizers, executives } = tiersFor(workers, { fanIn, maxDepth });
      if (workers + synthesizers + executives <= agents) break;
    }
    return workers;
  };
  const rooms: readonly Room[] = [
    { workers: Math.max(1, maxAgentsPerLevel), by: 'the bound on agents of a level' },
    { workers: within(maxAgents - 1), by: 'the bound on agents' },
    { workers: within(Math.min(budget / AGENT_TOKENS, maxAgents)), by: 'the budget' },
  ];
  return rooms.reduce((least, room) => (room.workers < least.workers ? room : least));
};

/** From where to where; a plan of the fewest workers has the fewest levels. */
interface Worth {
  readonly from: number;
  /** Null: no upper bound. */
  readonly to: number | null;
}

/** An enterprise is worth a level below its workers, and more where its parts could not be joined in four. */
const worthOf = (size: TaskSize, least: number, usual: number | null, fanIn: number): Worth => {
  if (size.level === 'atomic') return { from: 0, to: 0 };
  if (size.level === 'enterprise') {
    const joined = 1 + Math.ceil(Math.log(Math.max(2, size.named)) / Math.log(fanIn));
    return { from: Math.max(ANY_DEPTH + 1, joined), to: null };
  }
  const from = levelsWith(least, fanIn, ANY_DEPTH);
  return { from, to: usual === null ? from : levelsWith(usual, fanIn, ANY_DEPTH) };
};

const levelWords = ({ from, to }: Worth): string => {
  if (to === null) return `${counted(from, 'level')} or more`;
  return from === to ? counted(from, 'level') : `${from} to ${counted(to, 'level')}`;
};

/** `2 to 4 workers`, `10 or more workers`. */
const workerWords = (least: number, usual: number | null): string => {
  if (usual === null) return `${least} or more workers`;
  return usual > least ? `${least} to ${usual} workers` : counted(least, 'worker');
};

const inWords = (worth: Worth, workers: string, room: string | null, maxDepth: number, reach: number): string => {
  if (worth.from === 0) return 'worth one agent';
  const allowed = maxDepth < worth.from ? ` (${maxDepth} allowed)` : '';
  const further = reach > (worth.to ?? ANY_DEPTH) ? `; agents may divide their parts down to level ${reach}` : '';
  return `worth ${levelWords(worth)}${allowed}: ${workers}${room === null ? '' : `, of which ${room}`}${further}`;
};

/**
 * The team that a task is worth: its complexity says how many levels, and so, by the table of the tiers, how many workers.
 * What the task lists or counts may all be done side by side, and what it leaves open is the planner's to count. Nothing
 * goes beyond the bounds. Agents may divide their work one level further than it is worth, since words can mislead; as far
 * as the bounds go where the task is an enterprise, or asks for it.
 */
export const teamFor = (size: TaskSize, bounds: TeamBounds): Team => {
  const { level, named, isOpen, asksToDivide } = size;
  const fanIn = Math.max(2, bounds.fanIn);
  const range = rangeOf(level, fanIn);
  const room = roomFor({ ...bounds, fanIn });
  const usual = range.most === null || level === 'atomic' ? range.most : Math.max(range.most, named);
  const worth = worthOf(size, range.least, usual, fanIn);
  const free = level === 'enterprise' || asksToDivide;
  const reach = free ? bounds.maxDepth : Math.min(bounds.maxDepth, Math.max(1, worth.to ?? worth.from) + 1);
  const left = room.workers < range.least ? `${room.by} leaves ${room.workers}` : null;
  return {
    level,
    least: Math.min(range.least, room.workers),
    usual: usual === null ? null : Math.min(usual, room.workers),
    most: usual === null || (isOpen && level !== 'atomic') ? room.workers : Math.min(usual, room.workers),
    reach,
    because: inWords(worth, workerWords(range.least, usual), left, bounds.maxDepth, reach),
  };
};
