import { createLogUpdate } from 'log-update';
import type { EngineEvent as DomainEvent } from '../../domain/event.ts';
import type { AgentView, JobView, RunView, ServerView } from '../../operations/views.ts';
import type { EngineClient } from './engine-client.ts';
import { type QueueLine, renderTree } from './live-tree.ts';
import { createLineWriter, undoWord } from './plain-lines.ts';
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
type Remaining = () => Promise<string | null>;

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

/** The tree, drawn over itself at most ten times a second; asks only for agents that have changed. */
export const liveScreen = (
  terminal: Terminal,
  client: EngineClient,
  run: string,
  remaining: Remaining = async () => null,
): RunScreen => {
  const draw = createLogUpdate(terminal.stdout as NodeJS.WritableStream);
  const agents = new Map<string, AgentView>();
  const marks = new Map<string, string>();
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
      for (const event of events) {
        if (event.type === 'engine.noticed') say(printable(`engine: ${String(event['notice'])}`));
        if (event.type === 'skill.wanted')
          say(printable(`An agent wants a skill: ${String(event['question'])} (${String(event['where'])})`));
        const mark = markOf(event as unknown as DomainEvent);
        if (mark !== null && event.agent !== null) marks.set(event.agent, mark);
      }
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
      const left = status.state === 'running' ? await remaining() : null;
      picture = renderTree(status, ordered, queueLineOf(queue, status.server), screen, { marks, left }).join('\n');
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

/** What an event says of its agent's step, for as long as the tree is drawn. */
const markOf = (event: DomainEvent): string | null => {
  if (event.type === 'step.omitted') return event.reason;
  if (event.type === 'step.undone') return `${undoWord(event.state)}${event.result ? `: ${event.result}` : ''}`;
  return null;
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
