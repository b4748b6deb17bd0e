import type { JobView, ServerView } from '../mcp-server/operations/views.ts';
import { isUnused } from './describe.ts';
import type { QueueView } from './operations.ts';

/** A line of the queue view. */
export type QueueRow =
  | { readonly kind: 'server'; readonly id: string; readonly server: ServerView }
  | {
      readonly kind: 'group';
      readonly id: string;
      readonly label: string;
      readonly group: Group;
      readonly jobs: readonly JobView[];
    }
  | { readonly kind: 'job'; readonly id: string; readonly job: JobView }
  | { readonly kind: 'more'; readonly id: string; readonly left: number };

type Group = 'running' | 'parked' | JobView['priority'];

/** Best first, as the engine takes them. */
const GROUPS: readonly (readonly [Group, string])[] = [
  ['running', 'Running'],
  ['person', 'Waiting: for a person'],
  ['review', 'Waiting: review'],
  ['critical', 'Waiting: on the critical path'],
  ['batch', 'Waiting'],
  ['parked', 'Parked'],
];
/** Jobs of one group that are shown. */
const SHOWN = 200;

/** Servers that are in use first, then the groups that hold a job. */
export const queueRoots = (queue: QueueView): QueueRow[] => {
  const groups = Map.groupBy(queue.jobs, groupOf);
  const servers = queue.servers.filter((server) => !isUnused(server));
  return [
    ...servers.map((server): QueueRow => ({ kind: 'server', id: `server:${server.url}`, server })),
    ...GROUPS.flatMap(([group, label]): QueueRow[] => {
      const jobs = groups.get(group);
      return jobs ? [{ kind: 'group', id: `group:${group}`, label, group, jobs }] : [];
    }),
  ];
};

/** The jobs of a group, the oldest first, and a last line for those that are not shown. */
export const queueChildren = (row: QueueRow): QueueRow[] => {
  if (row.kind !== 'group') return [];
  const jobs = row.jobs.toSorted((a, b) => b.ageMs - a.ageMs);
  const shown = jobs.slice(0, SHOWN).map((job): QueueRow => ({ kind: 'job', id: job.job, job }));
  const left = jobs.length - shown.length;
  return left > 0 ? [...shown, { kind: 'more', id: `${row.id}:more`, left }] : shown;
};

const groupOf = (job: JobView): Group => (job.state === 'queued' ? job.priority : job.state);
