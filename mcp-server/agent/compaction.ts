import type { Agent } from '../domain/agent.ts';
import type { Call, Turn } from '../domain/turn.ts';
import { replayCalls } from './replay.ts';

/** Turns at the end that always stay whole. */
const KEPT_TURNS = 2;
/** Characters that a token stands for, taken low, so that the savings are not overrated. */
const CHARS_PER_TOKEN = 4;
/** A compaction breaks the server's cache, so it must save at least this many characters. */
const LEAST_SAVING = 200;

export interface CompactionInput {
  readonly agent: Pick<Agent, 'compactedBefore'>;
  readonly turns: readonly Turn[];
  readonly calls: readonly Call[];
}

const size = (turn: Turn, calls: readonly Call[], cut: boolean): number =>
  replayCalls(turn, calls, cut).reduce((sum, { call, result }) => sum + call.arguments.length + result.length, 0);

/**
 * The new `compactedBefore`: as few old turns as bring the prompt from `tokensNow` down to `tokensWanted`, or all that may
 * go when that is not enough or no number is given. Null when nothing worth it can go. The last two turns stay whole.
 */
export const compactionPlan = (input: CompactionInput, tokensNow = 1, tokensWanted = 0): number | null => {
  const calls = Map.groupBy(input.calls, (call) => call.turn);
  const done = input.turns.filter((turn) => turn.state === 'done' && turn.answer);
  const wanted = (tokensNow - tokensWanted) * CHARS_PER_TOKEN;
  const all = tokensWanted <= 0;
  let saved = 0;
  let before: number | null = null;
  for (const turn of done.slice(0, Math.max(0, done.length - KEPT_TURNS))) {
    if (turn.seq < input.agent.compactedBefore) continue;
    const own = calls.get(turn.id) ?? [];
    const gain = size(turn, own, false) - size(turn, own, true);
    saved += Math.max(0, gain);
    if (gain > 0) before = turn.seq + 1;
    if (!all && saved >= wanted && saved >= LEAST_SAVING) break;
  }
  return saved >= LEAST_SAVING ? before : null;
};
