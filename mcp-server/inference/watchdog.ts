import type { Clock } from '../domain/clock.ts';
import { OVER } from './time-limit.ts';

/** Calls `onStall` once when nothing happens for too long. One timer, however often there is progress. */
export class Watchdog {
  readonly #clock: Clock;
  readonly #stopped = new AbortController();
  #limitMs: number;
  #last: number;
  #stalled = false;

  constructor(clock: Clock, limitMs: number, onStall: () => void, shortestMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#last = clock.now();
    void this.#watch(onStall, shortestMs);
  }

  get stalled(): boolean {
    return this.#stalled;
  }

  /** Silence that is too long from now on, ms. */
  get limitMs(): number {
    return this.#limitMs;
  }

  /** Something happened. A new limit may not be shorter than the shortest that was announced. */
  progress(limitMs: number = this.#limitMs): void {
    this.#last = this.#clock.now();
    this.#limitMs = limitMs;
  }

  stop(): void {
    this.#stopped.abort(OVER);
  }

  async #watch(onStall: () => void, shortestMs: number): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const left = this.#last + this.#limitMs - this.#clock.now();
      if (left <= 0) {
        this.#stalled = true;
        return onStall();
      }
      // The limit may have become shorter meanwhile, so never sleep longer than the shortest.
      await this.#clock.sleep(Math.min(left, shortestMs), this.#stopped.signal);
    }
  }
}
