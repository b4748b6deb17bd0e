import type { EngineEvent as DomainEvent } from '../../domain/event.ts';
import type { EngineEvent } from '../../operations/views.ts';
import { counted, human, printable } from './terminal.ts';

/** Turns events into lines for a terminal that cannot be drawn over, or a log; null for events of no interest there. */
export const createLineWriter = (): ((event: EngineEvent) => string | null) => {
  const names = new Map<string, string>();
  const nameOf = (agent: string | null): string => (agent === null ? 'run' : (names.get(agent) ?? agent));
  return (loose) => {
    const event = loose as unknown as DomainEvent;
    if (event.type === 'agent.created' && event.agent) names.set(event.agent, event.name);
    const text = textOf(event, nameOf);
    return text === null ? null : printable(`${timeOf(event.at)} ${text}`.replace(/\s*\n\s*/g, ' '));
  };
};

const textOf = (event: DomainEvent, nameOf: (agent: string | null) => string): string | null => {
  const who = nameOf(event.agent);
  switch (event.type) {
    case 'run.created':
      return `${event.run} started on ${event.branch}, budget ${human(event.budget)} tokens: ${event.task}`;
    case 'run.planned':
      return `planned by the ${event.by}: ${counted(event.steps, 'step')}, ${event.pattern}${event.reason ? ` (${event.reason})` : ''}`;
    case 'run.cancelRequested':
      return `cancel asked for: ${event.mode}`;
    case 'run.ended':
      return `${event.run} ${event.state}${event.error ? `: ${event.error}` : ''}`;
    case 'run.landed':
      return `landed on ${event.branch} as ${event.commit.slice(0, 10)}`;
    case 'run.discarded':
      return 'discarded';
    case 'agent.created':
      return `${who}: ${event.tier} created`;
    case 'agent.moved':
      return ['completed', 'failed', 'cancelled', 'paused'].includes(event.to)
        ? `${who}: ${event.to}${event.reason ? ` (${event.reason})` : ''}`
        : null;
    case 'agent.committed':
      return `${who}: committed ${event.files.length === 1 ? event.files[0] : counted(event.files.length, 'file')}`;
    case 'agent.merged':
      return `${who}: merged ${nameOf(event.source)}`;
    case 'agent.conflicted':
      return `${who}: conflict with ${nameOf(event.source)} in ${event.files.join(', ')}`;
    case 'agent.asked':
      return `${who} asks: ${event.question}`;
    case 'turn.failed':
      return `${who}: call failed: ${event.error}${event.retryAt === null ? '' : '; it will be tried again'}`;
    case 'budget.refused':
      return `${who}: needs ${human(event.wanted)} tokens, ${human(event.available)} are left`;
    case 'job.parked':
      return `${who}: ${event.kind} parked: ${event.error}`;
    case 'engine.noticed':
      return `engine: ${event.notice}`;
    case 'engine.recovered':
      return `engine recovered: ${event.jobs} jobs, ${event.turns} turns go on`;
    case 'prefix.shared':
      return `${counted(event.slots, 'slot')} begin with the same ${human(event.tokens)} tokens, evaluated once`;
    case 'prefix.unsupported':
      return `agents that start together each have their common beginning evaluated: ${event.reason}`;
    case 'worktree.kept':
      return `${who}: worktree kept at ${event.path}: ${event.reason}`;
    // Told by the tree and by the totals, and too many for lines; so are those of a newer engine.
    case 'agent.acted':
    case 'agent.compacted':
    case 'budget.granted':
    case 'budget.overran':
    case 'engine.started':
    case 'message.sent':
    case 'turn.answered':
    case 'turn.cacheMissed':
    case 'turn.started':
    case 'worktree.leased':
    case 'worktree.removed':
    default:
      return null;
  }
};

const timeOf = (at: number): string => new Date(at).toISOString().slice(11, 19);
