// The editor begins each word of a title with a capital letter, so these hold few words.
import type { RunView } from '../mcp-server/operations/views.ts';
import { count, percent, tokens } from './format.ts';
import type { QueueView } from './operations.ts';
import type { SkillRow } from './skills/describe-skill.ts';

/** What the header of the budgets says, also while the view is closed: of all runs that go on. */
export const budgetsHeader = (active: readonly RunView[]): string => {
  if (active.length === 0) return '';
  const used = active.reduce((sum, run) => sum + run.tokens.used, 0);
  const granted = active.reduce((sum, run) => sum + run.tokens.granted, 0);
  return `${percent(used, granted)} · ${tokens(used)}/${tokens(granted)}`;
};

/** The same for the queue: busy slots, then what waits and what is parked. */
export const queueHeader = (queue: QueueView | undefined): string => {
  const servers = (queue?.servers ?? []).filter(({ reachable }) => reachable);
  const total = servers.reduce((sum, { slots }) => sum + slots.total, 0);
  const busy = servers.reduce((sum, { slots }) => sum + slots.busy, 0);
  const of = (state: string): number => (queue?.jobs ?? []).filter((job) => job.state === state).length;
  const [waiting, parked] = [of('queued'), of('parked')];
  return [
    ...(total > 0 ? [`${busy}/${count(total, 'slot')}`] : []),
    ...(waiting > 0 ? [`${waiting} waiting`] : []),
    ...(parked > 0 ? [`${parked} parked`] : []),
  ].join(' · ');
};

/** The same for the skills: how many there are, and what waits for the person. */
export const skillsHeader = (rows: readonly SkillRow[] | undefined): string => {
  if (!rows) return '';
  const of = (state: SkillRow['skill']['state']): number => rows.filter(({ skill }) => skill.state === state).length;
  const drafts = of('draft');
  const [review, errors] = [of('needs-review'), of('error')];
  return [
    String(rows.length - drafts),
    ...(drafts > 0 ? [count(drafts, 'draft')] : []),
    ...(review > 0 ? [`${review} to review`] : []),
    ...(errors > 0 ? [count(errors, 'error')] : []),
  ].join(' · ');
};
