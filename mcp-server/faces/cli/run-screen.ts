import { createLogUpdate } from 'log-update';
import type { AgentView, JobView, RunView, ServerView } from '../../operations/views.ts';
import type { EngineClient } from './engine-client.ts';
import { type QueueLine, renderTree } from './live-tree.ts';
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

/** A line for each event that matters. */
export const plainScreen = (terminal: Terminal): RunScreen => {
  const lineOf = createLineWriter();
  let stuck: string | null = null;
  return {
    update: async ({ events, status }) => {
      for (const event of events) {
        const line = lineOf(event);
        if (line !== null) terminal.print(line);
      }
      if (status && status.stuck !== stuck && status.stuck !== null)
        terminal.print(printable(`waiting: ${status.stuck}`));
      if (status) stuck = status.stuck;
    },
    say: (text) => terminal.warn(text),
    pause: () => {},
    resume: () => {},
    close: () => {},
  };
};

/** The tree, drawn over itself at most ten times a second; asks only for agents that have changed. */
export const liveScreen = (terminal: Terminal, client: EngineClient, run: string): RunScreen => {
  const draw = createLogUpdate(terminal.stdout as NodeJS.WritableStream);
  const agents = new Map<string, AgentView>();
  let last = 0;
  let paused = false;
  let picture = '';
  const say = (text: string): void => {
    if (paused) return terminal.warn(text);
    draw.clear();
    terminal.warn(text);
    if (picture !== '') draw(picture);
  };
  return {
    update: async ({ events }) => {
      for (const event of events)
        if (event.type === 'engine.noticed') say(printable(`engine: ${String(event['notice'])}`));
      const [status, changed, queue] = await Promise.all([
        client.call<RunView>('run_status', { run }),
        client.call<{ agents: AgentView[]; last: number }>(
          'agent_list',
          last > 0 ? { run, changedSince: last } : { run },
        ),
        client.call<{ servers: ServerView[]; jobs: JobView[] }>('queue_status', {}),
      ]);
      last = changed.last;
      for (const agent of changed.agents) agents.set(agent.agent, agent);
      const screen = { ...terminal.size(), color: terminal.color };
      const ordered = [...agents.values()].sort((a, b) => a.createdAt - b.createdAt);
      picture = renderTree(status, ordered, queueLineOf(queue, status.server), screen).join('\n');
      if (!paused) draw(picture);
    },
    say,
    pause: () => {
      paused = true;
      draw.done();
    },
    resume: () => {
      paused = false;
    },
    close: () => draw.done(),
  };
};

/** What the tree's last line says of the run's server and of all jobs. */
export const queueLineOf = (
  queue: { readonly servers: readonly ServerView[]; readonly jobs: readonly JobView[] },
  url: string,
): QueueLine => {
  // The built-in server is listed under the address that it happens to have; runs' servers come after the settings' one.
  const server = queue.servers.find((candidate) => candidate.url === url) ?? queue.servers.at(-1);
  return {
    busy: server?.slots.busy ?? 0,
    total: server?.slots.total ?? 0,
    waiting: queue.jobs.filter((job) => job.state === 'queued').length,
    parked: queue.jobs.filter((job) => job.state === 'parked').length,
    trouble: server?.error ?? '',
  };
};
