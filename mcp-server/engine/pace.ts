/** A turn of the event loop. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Of those who wait, this part passes in one turn of the event loop: the more wait, the more share a commit. */
const PART = 4;

/**
 * Lets whoever asks pass a few at a time, with a turn of the event loop in between. After a burst of answers the first
 * agent's next call is on its way before the last answer is looked at; otherwise all would be sent together, and come
 * back together, again and again, while the server's slots stand idle.
 */
export class Pace {
  readonly #least: () => number;
  readonly #waiting: (() => void)[] = [];
  /** Who has passed in this turn of the event loop. */
  #passed = 0;

  /** At least `least()` pass in one turn of the event loop. */
  constructor(least: () => number) {
    this.#least = least;
  }

  /** Resolves at once when not too many have passed in this turn of the event loop. */
  async pass(): Promise<void> {
    if (this.#passed === 0) setImmediate(this.#next);
    if (this.#passed >= this.#least()) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#passed += 1;
  }

  readonly #next = (): void => {
    const some = this.#waiting.splice(0, Math.max(this.#least(), Math.ceil(this.#waiting.length / PART)));
    this.#passed = some.length;
    if (some.length > 0) setImmediate(this.#next);
    for (const one of some) one();
  };
}
