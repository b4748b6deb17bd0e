import { cutShort } from '../../domain/agent.ts';
import { counted } from '../../domain/text.ts';
import type { AgentView, JobView, RunView, ServerView } from '../../operations/views.ts';
import { fit, human, printable } from './terminal.ts';

/** What the tree shows of slots and waiting jobs. */
export interface QueueLine {
  readonly busy: number;
  readonly total: number;
  readonly waiting: number;
  readonly parked: number;
  /** Why a server cannot be reached; empty when all is well. */
  readonly trouble: string;
}

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

/** Where the tree is drawn. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly color: boolean;
}

/** What events and the forecast say beside the agents. */
export interface Besides {
  /** Of an agent's step, by the id of the agent: why it was omitted, how it was undone. */
  readonly marks: ReadonlyMap<string, string>;
  /** What is left of the run; null: nobody can say. */
  readonly left: string | null;
}

const ICONS: Readonly<Record<AgentView['state'], string>> = {
  pending: '·',
  ready: '○',
  running: '▶',
  waiting: '◇',
  paused: '‖',
  completed: '✓',
  failed: '✗',
  cancelled: '–',
};
const COLORS: Readonly<Record<AgentView['state'], number>> = {
  pending: 90,
  ready: 36,
  running: 33,
  waiting: 36,
  paused: 35,
  completed: 32,
  failed: 31,
  cancelled: 90,
};
/** Whom to show first when not all fit. */
const INTEREST: Readonly<Record<AgentView['state'], number>> = {
  running: 0,
  failed: 2,
  waiting: 3,
  ready: 4,
  paused: 4,
  pending: 5,
  completed: 6,
  cancelled: 7,
};

interface Row {
  readonly agent: AgentView;
  readonly indent: number;
}

/** The whole picture as lines that fit the screen: the run, its agents (busy ones first when not all fit), the queue. */
export const renderTree = (
  run: RunView,
  agents: readonly AgentView[],
  queue: QueueLine,
  screen: Screen,
  { marks, left }: Besides = { marks: new Map(), left: null },
): string[] => {
  const rows = inTreeOrder(agents);
  // The run, the queue, and one line for the cursor.
  const wanted = run.approvals ?? [];
  const room = Math.max(1, screen.rows - 3 - wanted.length - (left === null ? 0 : 1));
  const shown = rows.length <= room ? rows : chooseRows(rows, room - 1);
  const hidden = rows.length - shown.length;
  const lines = [runLine(run, screen), ...shown.map((row) => agentLine(row, marks.get(row.agent.agent) ?? '', screen))];
  if (hidden > 0) lines.push(paint(`  … ${hidden} more`, 90, screen));
  for (const line of wanted.map(approvalLine)) lines.push(paint(fit(clean(line), screen.columns), 33, screen));
  if (left !== null) lines.push(paint(fit(clean(left), screen.columns), 90, screen));
  lines.push(queueLine(queue, run.stuck ?? queue.trouble, screen));
  return lines;
};

/** What an agent wants of the person, and what they can do about it. */
export const approvalLine = ({ skill, agents }: NonNullable<RunView['approvals']>[number]): string => {
  const who = agents.length === 1 ? 'an agent waits' : `${agents.length} agents wait`;
  return `${who} for your trust in the skill ${skill}: coppice skill trust ${skill}`;
};

/** Parents before children, children in order of creation; who has lost its parent hangs from the run. */
const inTreeOrder = (agents: readonly AgentView[]): Row[] => {
  const known = new Set(agents.map((agent) => agent.agent));
  const children = new Map<string | null, AgentView[]>();
  for (const agent of agents) {
    const parent = agent.parent !== null && known.has(agent.parent) ? agent.parent : null;
    const siblings = children.get(parent);
    if (siblings) siblings.push(agent);
    else children.set(parent, [agent]);
  }
  const rows: Row[] = [];
  const open = (children.get(null) ?? []).map((agent) => ({ agent, indent: 1 })).reverse();
  for (let row = open.pop(); row; row = open.pop()) {
    rows.push(row);
    const below = children.get(row.agent.agent) ?? [];
    for (const agent of below.toReversed()) open.push({ agent, indent: row.indent + 1 });
  }
  return rows;
};

/** The most interesting rows with their ancestors, in tree order. */
const chooseRows = (rows: readonly Row[], room: number): Row[] => {
  const byId = new Map(rows.map((row) => [row.agent.agent, row]));
  const ranked = rows
    .map((row, at) => ({ row, at, rank: row.agent.question === null ? INTEREST[row.agent.state] : 1 }))
    .sort((a, b) => a.rank - b.rank || a.at - b.at);
  const chosen = new Set<Row>();
  for (const { row } of ranked) {
    const path = pathOf(row, byId).filter((step) => !chosen.has(step));
    if (chosen.size + path.length <= room) for (const step of path) chosen.add(step);
    if (chosen.size >= room) break;
  }
  return rows.filter((row) => chosen.has(row));
};

const pathOf = (row: Row, byId: ReadonlyMap<string, Row>): Row[] => {
  const path = [row];
  for (let parent = row.agent.parent; parent !== null; ) {
    const above = byId.get(parent);
    if (!above || path.includes(above)) break;
    path.push(above);
    parent = above.agent.parent;
  }
  return path;
};

const runLine = (run: RunView, screen: Screen): string => {
  const wrapping = run.cancelRequested === 'no' || run.endedAt !== null ? '' : `, ${run.cancelRequested} asked for`;
  const waits =
    run.paused === true
      ? run.stuck === null
        ? ', pausing'
        : ', paused'
      : run.state === 'planned'
        ? ', its plan waits for your word'
        : '';
  const facts =
    `${run.state}${waits}${wrapping}  ${run.agents.completed + run.agents.failed}/${counted(run.agents.total, 'agent')}  ` +
    `${human(run.tokens.used)}/${human(run.tokens.granted)} tokens`;
  const task = clean(run.task);
  const head = fit(`${run.run}  ${facts}`, screen.columns);
  const rest = screen.columns - head.length - 2;
  return paint(head, 1, screen) + (rest > 8 ? `  ${fit(task, rest)}` : '');
};

const agentLine = ({ agent, indent }: Row, mark: string, screen: Screen): string => {
  const icon = ICONS[agent.state];
  const isOmitted = agent.endReason === 'omitted';
  const lead = ' '.repeat(Math.min(indent * 2, 24));
  // A step that a function carries out has none.
  const tokens = agent.tokens.granted > 0 ? `  ${human(agent.tokens.used)}/${human(agent.tokens.granted)}` : '';
  const cut = cutShort(agent);
  const state = isOmitted ? 'omitted' : cut === null ? agent.state : `incomplete, ${cut}`;
  const plain = `${clean(agent.name)}  ${agent.tier} ${state}${tokens}`;
  const now = agent.question === null ? agent.action || mark || agent.error || '' : `asks: ${agent.question}`;
  const doing = clean(now);
  const text = fit(doing === '' ? plain : `${plain}  ${doing}`, Math.max(0, screen.columns - lead.length - 2));
  return `${lead}${paint(icon, COLORS[agent.state], screen)} ${text}`;
};

const queueLine = (queue: QueueLine, why: string, screen: Screen): string => {
  const parked = queue.parked > 0 ? `  ${queue.parked} parked` : '';
  const trouble = why === '' ? '' : `  ${clean(why)}`;
  // A server that nobody has used yet, or uses any more, has no slots to speak of.
  const slots = queue.total > 0 ? `slots ${queue.busy}/${queue.total}  ` : '';
  const text = `${slots}${queue.waiting} waiting${parked}${trouble}`;
  return paint(fit(text, screen.columns), trouble === '' ? 90 : 31, screen);
};

const clean = (text: string): string => printable(text.replace(/\s+/g, ' ')).trim();

const paint = (text: string, code: number, screen: Screen): string =>
  screen.color ? `\u001b[${code}m${text}\u001b[0m` : text;
