/**
 * Decides when a changed node is drawn again. A leaf is drawn at the next tick. An open node makes the editor ask for
 * all its children again, so it waits the longer the more there are: 2 ms for each, at most 3 s.
 */
export class Redraw {
  readonly #sizeOf: (id: string) => number;
  readonly #drawnAt = new Map<string, number>();
  readonly #waiting = new Set<string>();

  constructor(sizeOf: (id: string) => number) {
    this.#sizeOf = sizeOf;
  }

  mark(id: string): void {
    this.#waiting.add(id);
  }

  /** The ids that are due at `now`; they count as drawn then. */
  take(now: number): string[] {
    const due = [...this.#waiting].filter((id) => this.#dueAt(id) <= now);
    for (const id of due) {
      this.#waiting.delete(id);
      if (this.#sizeOf(id) > 0) this.#drawnAt.set(id, now);
    }
    return due;
  }

  isIdle(): boolean {
    return this.#waiting.size === 0;
  }

  #dueAt(id: string): number {
    const drawnAt = this.#drawnAt.get(id);
    return drawnAt === undefined ? 0 : drawnAt + Math.min(3000, 2 * this.#sizeOf(id));
  }
}
