import { createLogUpdate } from 'log-update';
import type { EngineEvent as DomainEvent } from '../../domain/event.ts';
import type { AgentView, JobView, RunView, ServerView } from '../../operations/views.ts';
import type { EngineClient } from './engine-client.ts';
import { queueLineOf, renderTree } from './live-tree.ts';
import { undoWord } from './plain-lines.ts';
import type { Remaining, RunScreen } from './run-screen.ts';
import { printable, type Terminal } from './terminal.ts';

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
