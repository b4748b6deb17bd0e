import { countTokens, type Segment, sharedPrefix } from './tokens.ts';

/** One parallel sequence and the tokens that its KV cache holds. */
export interface Slot {
  readonly id: number;
  segments: readonly Segment[];
  busy: boolean;
  lastUsed: number;
}

/** Below this share of the prompt a common prefix does not count, and the least recently used slot is taken. */
const LEAST_SIMILARITY = 0.1;

/** The slots with their prefix caches. Choosing is the real server's: the longest common prefix, else the oldest. */
export class Slots {
  readonly all: readonly Slot[];
  #uses = 0;

  constructor(count: number) {
    this.all = Array.from({ length: count }, (_, id) => ({ id, segments: [], busy: false, lastUsed: 0 }));
  }

  get busy(): number {
    return this.all.reduce((sum, slot) => sum + (slot.busy ? 1 : 0), 0);
  }

  /** Takes an idle slot, and says how many tokens of the prompt it already holds: never all, the last is evaluated. */
  take(prompt: readonly Segment[], promptTokens: number): { readonly slot: Slot; readonly cached: number } | null {
    let best: Slot | null = null;
    let shared = 0;
    for (const slot of this.all) {
      if (slot.busy) continue;
      const common = sharedPrefix(slot.segments, prompt);
      const better = best === null || common > shared || (common === shared && slot.lastUsed < best.lastUsed);
      if (better) [best, shared] = [slot, common];
    }
    if (best === null) return null;
    if (shared < promptTokens * LEAST_SIMILARITY) {
      best = this.#oldestIdle(best);
      shared = sharedPrefix(best.segments, prompt);
    }
    best.busy = true;
    best.lastUsed = ++this.#uses;
    return { slot: best, cached: Math.max(0, Math.min(shared, promptTokens - 1)) };
  }

  /** Frees the slot; it goes on holding `segments`. */
  release(slot: Slot, segments: readonly Segment[]): void {
    slot.busy = false;
    slot.segments = segments;
    slot.lastUsed = ++this.#uses;
  }

  /** A shared pool takes the cache of idle slots back before anything fails. */
  forgetIdle(): void {
    for (const slot of this.all) if (!slot.busy) slot.segments = [];
  }

  held(slot: Slot): number {
    return countTokens(slot.segments);
  }

  #oldestIdle(first: Slot): Slot {
    return this.all.reduce((oldest, slot) => (!slot.busy && slot.lastUsed < oldest.lastUsed ? slot : oldest), first);
  }
}
