import { createInterface, type Interface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Lines that the person types, one after another; several that come at once wait for their question. */
export class LineReader {
  readonly #stdin: Readable;
  readonly #lines: string[] = [];
  #reader: Interface | null = null;
  #over = false;
  #wake: () => void = () => {};

  constructor(stdin: Readable) {
    this.#stdin = stdin;
  }

  /** Null when there will be no line any more, or the signal aborts. */
  async next(signal: AbortSignal): Promise<string | null> {
    this.#open();
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      if (this.#over || signal.aborted) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  /** Leaves the input to others; next() takes it up again. */
  close(): void {
    const reader = this.#reader;
    this.#reader = null;
    reader?.close();
  }

  #open(): void {
    if (this.#reader || this.#over) return;
    // Not bound to the terminal's output: Ctrl-C stays with the run.
    const reader = createInterface({ input: this.#stdin, terminal: false });
    this.#reader = reader;
    reader.on('line', (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    reader.once('close', () => {
      if (this.#reader === reader) this.#over = true;
      this.#wake();
    });
  }
}
