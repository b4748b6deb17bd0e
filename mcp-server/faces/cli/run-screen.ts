import { createLineWriter } from './plain-lines.ts';
import type { Batch } from './run-events.ts';
import { printable, type Terminal } from './terminal.ts';

/** Shows a run while it goes on. */
export interface RunScreen {
  /** After new events; fetches what it needs of them. */
  update(batch: Batch): Promise<void>;
  /** Words for the person, where the next picture does not paint over them. */
  say(text: string): void;
  /** Leaves the picture alone while the person types. */
  pause(): void;
  resume(): void;
  /** Leaves the last picture where it is. */
  close(): void;
}

/** Every event as one line of JSON. */
export const jsonScreen = (terminal: Terminal): RunScreen => ({
  update: async ({ events }) => {
    for (const event of events) terminal.print(JSON.stringify(event));
  },
  say: (text) => terminal.warn(text),
  pause: () => {},
  resume: () => {},
  close: () => {},
});

/** What is left of the run, if anybody can say. */
export type Remaining = () => Promise<string | null>;

/** In batches without an event, which come every two seconds: a line on what is left is enough now and then. */
const QUIET_BATCHES = 15;

/** A line for each event that matters. `known`: names of agents that are there already, by id. */
export const plainScreen = (
  terminal: Terminal,
  remaining: Remaining = async () => null,
  known: ReadonlyMap<string, string> = new Map(),
): RunScreen => {
  const lineOf = createLineWriter(known);
  let stuck: string | null = null;
  let quiet = 0;
  return {
    update: async ({ events, status }) => {
      for (const event of events) {
        const line = lineOf(event);
        if (line !== null) terminal.print(line);
      }
      if (status && status.stuck !== stuck && status.stuck !== null)
        terminal.print(printable(`waiting: ${status.stuck}`));
      if (!status) return;
      stuck = status.stuck;
      if (status.state !== 'running' || ++quiet % QUIET_BATCHES > 0) return;
      const left = await remaining();
      if (left !== null) terminal.print(left);
    },
    say: (text) => terminal.warn(text),
    pause: () => {},
    resume: () => {},
    close: () => {},
  };
};
