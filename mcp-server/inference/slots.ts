import type { SlotStatus } from './port.ts';

/** Answers in a row after which one more call at once is tried, when the server's memory had run out. */
const SUCCESSES_FOR_ONE_MORE = 8;

/**
 * Permits for the slots of one server. In-flight calls never exceed its slots, or the person's cap when that is lower;
 * it is 1 until the server has said how many it has. When slots share a memory pool that ran out, the limit is halved
 * (once for all calls that failed together, never below 1) and grows by one with every eight answers.
 */
export class SlotPool {
  readonly #cap: number;
  readonly #listeners = new Set<() => void>();
  #known = 1;
  /** Lower than the slots while the memory pool is short. */
  #limit = 1;
  #busy = 0;
  #successes = 0;
  #halvings = 0;

  constructor(cap: number = Number.POSITIVE_INFINITY) {
    this.#cap = Math.max(1, Math.floor(cap));
  }

  status(): SlotStatus {
    return { total: this.#limit, busy: this.#busy };
  }

  /** Grows with each halving; a call remembers the one that it started under. */
  get generation(): number {
    return this.#halvings;
  }

  tryPermit(): (() => void) | null {
    if (this.#busy >= this.#limit) return null;
    this.#busy += 1;
    let held = true;
    return () => {
      if (!held) throw new Error('A slot permit was released twice.');
      held = false;
      this.#busy -= 1;
      this.#tell();
    };
  }

  onFree(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** The server has said how many slots it has. A number that did not change leaves a lowered limit as it is. */
  know(slots: number): void {
    const usable = Math.max(1, Math.min(Math.floor(slots) || 1, this.#cap));
    if (usable === this.#known) return;
    const grew = usable > this.#limit;
    this.#known = usable;
    this.#limit = usable;
    if (grew) this.#tell();
  }

  /** The memory that the slots share ran out under a call that started in `generation`. */
  exhausted(generation: number): void {
    this.#successes = 0;
    if (generation !== this.#halvings) return;
    this.#halvings += 1;
    this.#limit = Math.max(1, Math.floor(this.#limit / 2));
  }

  answered(): void {
    if (this.#limit >= this.#known) return;
    this.#successes += 1;
    if (this.#successes < SUCCESSES_FOR_ONE_MORE) return;
    this.#successes = 0;
    this.#limit += 1;
    this.#tell();
  }

  #tell(): void {
    // A copy: a listener may take a permit and listen again.
    for (const listener of Array.from(this.#listeners)) listener();
  }
}
