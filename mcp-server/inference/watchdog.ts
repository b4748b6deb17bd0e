import type { Clock } from '../domain/clock.ts';

/** Calls `onStall` once when nothing happens for too long. One timer, however often there is progress. */
export class Watchdog {
  readonly #clock: Clock;
  readonly #onStall: () => void;
  readonly #shortestMs: number;
  #cancel: () => void = () => undefined;
  #limitMs: number;
  #last: number;
  #stalled = false;

  constructor(clock: Clock, limitMs: number, onStall: () => void, shortestMs: number) {
    this.#clock = clock;
    this.#onStall = onStall;
    this.#shortestMs = shortestMs;
    this.#limitMs = limitMs;
    this.#last = clock.now();
    this.#watch();
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
    this.#cancel();
  }

  #watch(): void {
    const left = this.#last + this.#limitMs - this.#clock.now();
    if (left <= 0) {
      this.#stalled = true;
      return this.#onStall();
    }
    // The limit may have become shorter meanwhile, so never longer than the shortest.
    this.#cancel = this.#clock.alarm(Math.min(left, this.#shortestMs), () => this.#watch());
  }
}
