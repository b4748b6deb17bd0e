import { cutShort } from '../../domain/agent.ts';
import type { EngineEvent as DomainEvent } from '../../domain/event.ts';
import { counted } from '../../domain/text.ts';
import type { EngineEvent } from '../../operations/views.ts';
import { duration, human, printable } from './terminal.ts';

/** Turns events into lines for a terminal that cannot be drawn over, or a log; null for events of no interest there. `known`: names of agents that are there already, by id. */
export const createLineWriter = (
  known: ReadonlyMap<string, string> = new Map(),
): ((event: EngineEvent) => string | null) => {
  const names = new Map(known);
  const nameOf = (agent: string | null): string => (agent === null ? 'run' : (names.get(agent) ?? agent));
  return (loose) => {
    const event = loose as unknown as DomainEvent;
    if (event.type === 'agent.created' && event.agent) names.set(event.agent, event.name);
    const text = textOf(event, nameOf);
    return text === null ? null : printable(`${timeOf(event.at)} ${text}`.replace(/\s*\n\s*/g, ' '));
  };
};

type Of<Prefix extends string> = Extract<DomainEvent, { readonly type: `${Prefix}.${string}` }>;

const isOf = <Prefix extends string>(event: DomainEvent, prefix: Prefix): event is Of<Prefix> =>
  event.type.startsWith(`${prefix}.`);

const textOf = (event: DomainEvent, nameOf: (agent: string | null) => string): string | null => {
  if (isOf(event, 'run')) return runTextOf(event);
  if (isOf(event, 'step')) return stepTextOf(event);
  const who = nameOf(event.agent);
  if (isOf(event, 'worktree')) return worktreeTextOf(event, who);
  switch (event.type) {
    case 'agent.created':
      return `${who}: ${event.tier} created`;
    case 'agent.moved':
      // Its step says why it was omitted.
      return event.reason !== 'omitted' && ['completed', 'failed', 'cancelled', 'paused'].includes(event.to)
        ? `${who}: ${endOf(event)}`
        : null;
    case 'agent.continued':
      return `${who}: goes on`;
    case 'agent.committed':
      return `${who}: committed ${event.files.length === 1 ? event.files[0] : counted(event.files.length, 'file')}`;
    case 'agent.merged':
      return `${who}: merged ${nameOf(event.source)}`;
    case 'agent.conflicted':
      return `${who}: conflict with ${nameOf(event.source)} in ${event.files.join(', ')}`;
    case 'agent.asked':
      return `${who} asks: ${event.question}`;
    case 'skill.wanted':
      return `${who} wants a skill: ${event.question} (${event.where})`;
    case 'skill.answered':
      return `${who}: may ${event.approved ? '' : 'not '}use the skill ${event.skill}`;
    case 'turn.failed':
      return `${who}: call failed: ${event.error}${event.retryAt === null ? '' : '; it will be tried again'}`;
    case 'budget.refused':
      return `${who}: needs ${human(event.wanted)} tokens, ${human(event.available)} are left`;
    case 'job.parked':
      return `${who}: ${event.kind} parked: ${event.error}`;
    case 'engine.noticed':
      return `engine: ${event.notice}`;
    case 'engine.recovered':
      return `engine recovered: ${counted(event.jobs, 'job')}, ${counted(event.turns, 'turn')} go on`;
    case 'prefix.shared':
      return `${counted(event.slots, 'slot')} begin with the same ${human(event.tokens)} tokens, evaluated once`;
    case 'prefix.unsupported':
      return `agents that start together each have their common beginning evaluated: ${event.reason}`;
    // Told by the tree and by the totals, and too many for lines; so are those of a newer engine.
    case 'agent.acted':
    case 'agent.compacted':
    case 'agent.pauseRequested':
    case 'budget.granted':
    case 'budget.overran':
    case 'engine.started':
    case 'message.sent':
    case 'turn.answered':
    case 'turn.cacheMissed':
    case 'turn.started':
    default:
      return null;
  }
};

const worktreeTextOf = (event: Of<'worktree'>, who: string): string | null => {
  switch (event.type) {
    case 'worktree.setUpFailed':
      return `${who}: the set-up of its worktree failed: ${event.error}`;
    case 'worktree.saved':
      return `${who}: lay uncommitted in its worktree, kept as commit ${event.commit.slice(0, 10)}: ${namedOf(event.files)}`;
    case 'worktree.kept':
      return `${who}: worktree kept at ${event.path}: ${event.reason}`;
    case 'worktree.leased':
    case 'worktree.removed':
    case 'worktree.setUp':
    default:
      return null;
  }
};

const MOST_NAMED = 5;

const namedOf = (files: readonly string[]): string => {
  const more = files.length - MOST_NAMED;
  return `${files.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
};

/** `completed (finished)`; what ran out of something has reported, and is incomplete all the same. */
const endOf = ({ to, reason }: Extract<DomainEvent, { readonly type: 'agent.moved' }>): string => {
  const cut = cutShort({ state: to, endReason: reason });
  if (cut !== null) return `incomplete, ${cut}`;
  return reason ? `${to} (${reason})` : to;
};

const runTextOf = (event: Of<'run'>): string | null => {
  switch (event.type) {
    case 'run.created':
      return `${event.run} started on ${event.branch}, budget ${human(event.budget)} tokens: ${event.task}`;
    case 'run.planned':
      return `planned by the ${event.by}: ${counted(event.steps, 'step')}, ${event.pattern}${event.reason ? ` (${event.reason})` : ''}`;
    case 'run.held':
      return `the plan of ${counted(event.steps, 'step')} waits for a person's word: ${event.reason}`;
    case 'run.replanned':
      return `${event.step}: ${counted(event.steps, 'step')} added below it, ${event.pattern}`;
    case 'run.retried': {
      const more = event.budget > 0 ? `, with ${human(event.budget)} tokens more` : '';
      return `${counted(event.steps, 'step')} tried again${more}`;
    }
    case 'run.paused':
      return 'pauses: turns that are under way still end';
    case 'run.continued':
      return 'goes on';
    case 'run.cancelRequested':
      return `cancel asked for: ${event.mode}`;
    case 'run.ended':
      return `${event.run} ${event.state}${event.error ? `: ${event.error}` : ''}`;
    case 'run.landed':
      return `landed on ${event.branch} as ${event.commit.slice(0, 10)}`;
    case 'run.discarded':
      return 'discarded';
    // Of a newer engine.
    default:
      return null;
  }
};

const stepTextOf = (event: Of<'step'>): string | null => {
  switch (event.type) {
    case 'step.retried':
      return `${event.step}: try ${event.attempt} in ${duration(Math.max(0, event.startsAt - event.at))}: ${event.reason}`;
    case 'step.omitted':
      return `${event.step}: omitted: ${event.reason}`;
    case 'step.undone':
      return `${event.step}: ${undoWord(event.state)}${event.result ? `: ${event.result}` : ''}`;
    default:
      return null;
  }
};

/** How the undoing of a step ended, in words. */
export const undoWord = (state: 'done' | 'failed' | 'impossible'): string =>
  state === 'done' ? 'undone' : state === 'failed' ? 'could not be undone' : 'cannot be undone';

const timeOf = (at: number): string => new Date(at).toISOString().slice(11, 19);
