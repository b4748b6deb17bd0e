import type { CacheMissReason } from '../domain/event.ts';
import type { Turn, Usage } from '../domain/turn.ts';

export interface CacheUse {
  /** The agent's turns before this one, by sequence. */
  readonly earlier: readonly Pick<Turn, 'kind' | 'usage'>[];
  readonly kind: Turn['kind'];
  readonly usage: Usage;
  /** Old results were cut for this turn. */
  readonly compacted: boolean;
}

export interface CacheMiss {
  /** Tokens of the last prompt, all of which this one begins with unless something changed. */
  readonly expected: number;
  readonly cached: number;
  readonly reason: CacheMissReason;
}

/** A template may write the last few tokens of a prompt anew, and a few hundred are not worth a word. */
const LEAST_LOST = 256;
/** Below this share of what was expected. */
const MUCH_LESS = 0.75;

/** Null when the server still had what the agent's last turn sent, or nothing was to be expected. */
export const cacheMiss = ({ earlier, kind, usage, compacted }: CacheUse): CacheMiss | null => {
  const before = earlier.at(-1);
  if (!before?.usage) return null;
  const expected = before.usage.prompt;
  const { cached } = usage;
  if (expected - cached < LEAST_LOST || cached >= expected * MUCH_LESS) return null;
  const toolsChanged = kind === 'wrap-up' && before.kind !== 'wrap-up';
  return { expected, cached, reason: compacted ? 'compacted' : toolsChanged ? 'tools-changed' : 'slot-taken' };
};
