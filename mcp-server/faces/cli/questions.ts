import { createInterface } from 'node:readline';
import { messageOf } from '../../domain/errors.ts';
import type { EngineEvent } from '../../operations/views.ts';
import type { EngineClient } from './engine-client.ts';
import type { RunScreen } from './run-screen.ts';
import { printable, type Terminal } from './terminal.ts';

/** Passes agents' questions to the person, one at a time, and the answers back. */
export class Questions {
  readonly #terminal: Terminal;
  readonly #client: EngineClient;
  readonly #screen: RunScreen;
  readonly #enabled: boolean;
  readonly #open: { agent: string; question: string }[] = [];
  #lines: ReturnType<typeof createInterface> | null = null;

  constructor(terminal: Terminal, client: EngineClient, screen: RunScreen, enabled: boolean) {
    this.#terminal = terminal;
    this.#client = client;
    this.#screen = screen;
    this.#enabled = enabled;
  }

  async look(events: readonly EngineEvent[]): Promise<void> {
    if (!this.#enabled) return;
    for (const event of events) {
      if (event.type !== 'agent.asked' || event.agent === null) continue;
      this.#open.push({ agent: event.agent, question: String(event['question']) });
      if (this.#open.length === 1) this.#ask();
    }
  }

  close(): void {
    this.#lines?.close();
    this.#lines = null;
  }

  #ask(): void {
    const next = this.#open[0];
    if (!next) {
      this.close();
      return this.#screen.resume();
    }
    this.#screen.pause();
    this.#terminal.print(`\n${printable(next.question)}\nYour answer (one line):`);
    // Not bound to the terminal's output: Ctrl-C stays with the run.
    this.#lines ??= createInterface({ input: this.#terminal.stdin, terminal: false });
    this.#lines.once('line', (line) => void this.#answer(next.agent, line));
  }

  async #answer(agent: string, line: string): Promise<void> {
    try {
      if (line.trim() === '') return this.#ask();
      await this.#client.call('agent_message', { agent, text: line });
    } catch (error) {
      this.#terminal.warn(`answer: ${messageOf(error)}`);
    }
    this.#open.shift();
    this.#ask();
  }
}
