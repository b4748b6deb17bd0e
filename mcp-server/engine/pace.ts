/**
 * Lets whoever asks pass a few at a time, with a turn of the event loop in between. After a burst of answers the first
 * agent's next call is on its way before the last answer is looked at; otherwise all would be sent together, and come
 * back together, again and again, while the server's slots stand idle.
 */
export class Pace {
  readonly #atOnce: number;
  readonly #waiting: (() => void)[] = [];
  /** Who has passed in this turn of the event loop. */
  #passed = 0;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Resolves at once when not too many have passed in this turn of the event loop. */
  async pass(): Promise<void> {
    if (this.#passed === 0) setImmediate(this.#next);
    if (this.#passed >= this.#atOnce) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#passed += 1;
  }

  readonly #next = (): void => {
    const some = this.#waiting.splice(0, this.#atOnce);
    this.#passed = some.length;
    if (some.length > 0) setImmediate(this.#next);
    for (const one of some) one();
  };
}
