import { countTokens, type Segment, sharedPrefix } from './tokens.ts';

/** One parallel sequence and the tokens that its KV cache holds. */
export interface Slot {
  readonly id: number;
  segments: readonly Segment[];
  busy: boolean;
  lastUsed: number;
  /** Number of the last request that it took; null when it never took one. */
  lastTask: number | null;
}

/** Below this share of the prompt a common prefix does not count, and the least recently used slot is taken. */
const LEAST_SIMILARITY = 0.1;
/** Sequences that are kept beside the slots of a shared pool. */
const MOST_ASIDE = 64;

/**
 * The slots with their prefix caches. Choosing is the real server's: the longest common prefix, else the oldest. Slots
 * that share a pool are cleared whenever a request starts, and what they held is put aside: each piece of it is given
 * back to one request only, so a prefix that lies in several idle slots is worth no more than one.
 */
export class Slots {
  readonly all: readonly Slot[];
  readonly #sharedPool: boolean;
  readonly #waiting = new Map<Slot, (() => void)[]>();
  #aside: (readonly Segment[])[] = [];
  #uses = 0;

  constructor(count: number, sharedPool = false) {
    this.#sharedPool = sharedPool;
    const slot = (id: number): Slot => ({ id, segments: [], busy: false, lastUsed: 0, lastTask: null });
    this.all = Array.from({ length: count }, (_, id) => slot(id));
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
    if (this.#sharedPool) shared = this.#fromAside(best, shared, prompt);
    best.busy = true;
    best.lastUsed = ++this.#uses;
    if (this.#sharedPool) this.#putAside();
    return { slot: best, cached: Math.max(0, Math.min(shared, promptTokens - 1)) };
  }

  /** Frees the slot; it goes on holding `segments`. */
  release(slot: Slot, segments: readonly Segment[]): void {
    slot.busy = false;
    slot.segments = segments;
    slot.lastUsed = ++this.#uses;
    const waiting = this.#waiting.get(slot) ?? [];
    this.#waiting.delete(slot);
    for (const act of waiting) act();
  }

  /** Calls `act` now when the slot is idle, else as soon as it is free, before another request takes it. */
  whenIdle(slot: Slot, act: () => void): void {
    if (!slot.busy) return act();
    this.#waiting.set(slot, [...(this.#waiting.get(slot) ?? []), act]);
  }

  /** The slot of a number; like the real server it goes round when the number is too high. */
  byNumber(id: number): Slot {
    const count = this.all.length;
    return this.all[((id % count) + count) % count] as Slot;
  }

  /** A shared pool takes the cache of idle slots back before anything fails. */
  forgetIdle(): void {
    for (const slot of this.all) if (!slot.busy) slot.segments = [];
    this.#aside = [];
  }

  held(slot: Slot): number {
    return countTokens(slot.segments);
  }

  #fromAside(slot: Slot, shared: number, prompt: readonly Segment[]): number {
    let best = -1;
    for (const [at, held] of this.#aside.entries()) {
      const common = sharedPrefix(held, prompt);
      if (common > shared) [best, shared] = [at, common];
    }
    if (best >= 0) slot.segments = this.#aside.splice(best, 1)[0] as readonly Segment[];
    return shared;
  }

  #putAside(): void {
    for (const slot of this.all) {
      if (slot.busy || slot.segments.length === 0) continue;
      const tokens = countTokens(slot.segments);
      const known = this.#aside.some((held) => sharedPrefix(held, slot.segments) === tokens);
      if (!known) this.#aside.push(slot.segments);
      slot.segments = [];
    }
    this.#aside = this.#aside.slice(-MOST_ASIDE);
  }

  #oldestIdle(first: Slot): Slot {
    return this.all.reduce((oldest, slot) => (!slot.busy && slot.lastUsed < oldest.lastUsed ? slot : oldest), first);
  }
}
