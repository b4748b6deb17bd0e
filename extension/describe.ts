import type {
  AccountView,
  AgentView,
  JobView,
  RunView,
  ServerView,
  SetupProblem,
} from '../mcp-server/operations/views.ts';
import { count, duration, escapeMarkdown, oneLine, percent, tokens } from './format.ts';
import { isActive, isReviewable } from './model.ts';

/** A codicon and the theme colour that it is drawn in. */
export interface Icon {
  readonly name: string;
  readonly color?: string;
}

const GREEN = 'testing.iconPassed';
const RED = 'testing.iconFailed';
const BLUE = 'charts.blue';
const GREY = 'disabledForeground';
/** The colour of what needs an eye: a question, a budget that runs out. */
export const WARNING = 'charts.orange';

const RUN_ICONS: Readonly<Record<RunView['state'], Icon>> = {
  planning: { name: 'lightbulb', color: BLUE },
  planned: { name: 'question', color: WARNING },
  running: { name: 'sync~spin', color: BLUE },
  completed: { name: 'pass-filled', color: GREEN },
  answered: { name: 'comment', color: GREEN },
  nothing: { name: 'circle-slash', color: GREY },
  partial: { name: 'warning', color: WARNING },
  failed: { name: 'error', color: RED },
  cancelled: { name: 'circle-slash', color: GREY },
};

const AGENT_ICONS: Readonly<Record<AgentView['state'], Icon>> = {
  pending: { name: 'circle-outline', color: GREY },
  ready: { name: 'clock' },
  running: { name: 'sync~spin', color: BLUE },
  waiting: { name: 'watch' },
  paused: { name: 'debug-pause', color: WARNING },
  completed: { name: 'pass', color: GREEN },
  failed: { name: 'error', color: RED },
  cancelled: { name: 'circle-slash', color: GREY },
};

const RUN_WORDS: Readonly<Record<RunView['state'], string>> = {
  planning: 'planning',
  planned: 'waits for your word on its plan',
  running: 'running',
  completed: 'completed',
  answered: 'answered, no file changed',
  nothing: 'ended without a result',
  partial: 'partly done',
  failed: 'failed',
  cancelled: 'cancelled',
};

export const runIcon = (run: RunView): Icon => {
  if (run.review === 'landed') return { name: 'git-merge', color: GREEN };
  if (run.review === 'discarded') return { name: 'trash', color: GREY };
  if (isActive(run) && run.paused === true) return { name: 'debug-pause', color: WARNING };
  return isActive(run) && run.stuck !== null ? { name: 'warning', color: WARNING } : RUN_ICONS[run.state];
};

/** Grey text beside a run: how far it is, or what came of it. Short, for a narrow side bar. `more`: what its plan tells. */
export const runDescription = (run: RunView, more = ''): string => {
  if (!isActive(run)) return [...outcome(run), `${tokens(run.tokens.used)} tokens`].join(' · ');
  if (run.paused === true) return `${run.stuck === null ? 'pausing' : 'paused'} · ${spentOf(run)}`;
  if (run.stuck !== null) return `stuck: ${oneLine(run.stuck, 80)}`;
  if (run.state === 'planned' && run.cancelRequested === 'no') return more || 'plan waits for you';
  const spent = spentOf(run);
  if (run.cancelRequested !== 'no') return `stopping · ${spent}`;
  if (run.state === 'planning') return `planning · ${spent}`;
  return [`${run.agents.completed}/${run.agents.total} done`, wanted(run), more, spent].filter(Boolean).join(' · ');
};

const wanted = ({ approvals = [] }: RunView): string =>
  approvals.length > 0 ? `needs your trust: ${approvals.map(({ skill }) => oneLine(skill, 64)).join(', ')}` : '';

const spentOf = ({ tokens: { used, granted } }: RunView): string => `${tokens(used)} of ${tokens(granted)} tokens`;

const outcome = (run: RunView): string[] => {
  const files = run.filesChanged ? count(run.filesChanged, 'file') : '';
  const word = run.state === 'completed' ? [] : [RUN_WORDS[run.state]];
  if (run.review === 'open') return [...word, `${files} to review`];
  if (run.review === 'none') return [RUN_WORDS[run.state]];
  return [...word, run.review, files].filter(Boolean);
};

/** Words that `when` clauses of menus look for. */
export const runContext = (run: RunView): string =>
  [
    'run',
    run.state === 'planned' ? 'planned' : isActive(run) ? 'active' : 'ended',
    ...(run.endedAt === null && run.cancelRequested === 'no' ? [run.paused === true ? 'paused' : 'pausable'] : []),
    ...(isReviewable(run) ? ['reviewable'] : []),
    ...(!isActive(run) && (run.state === 'partial' || run.state === 'failed') ? ['retryable'] : []),
  ].join(' ');

/** Markdown that a person reads when the pointer rests on a run. */
export const runTooltip = (run: RunView, now: number, left = ''): string =>
  lines([
    `**${escapeMarkdown(oneLine(run.task, 200))}**`,
    table([
      ['State', RUN_WORDS[run.state]],
      ['Agents', `${run.agents.total} (${run.agents.completed} completed, ${run.agents.failed} failed)`],
      ['Tokens', tokenLine(run.tokens)],
      ['Time', duration((run.endedAt ?? now) - run.createdAt)],
      ['Branch', code(run.branch)],
      ['From', `${code(run.baseBranch ?? 'detached HEAD')} at ${code(run.baseCommit.slice(0, 10))}`],
      ['Server', code(run.server)],
      ['Run', code(run.run)],
    ]),
    left,
    run.stuck === null ? '' : `$(warning) ${escapeMarkdown(oneLine(run.stuck, 500))}`,
    ...(run.approvals ?? []).map(({ question }) => `$(shield) ${escapeMarkdown(oneLine(question, 500))}`),
    run.error === null ? '' : `$(error) ${escapeMarkdown(oneLine(run.error, 500))}`,
    run.report === null ? '' : escapeMarkdown(oneLine(run.report, 500)),
  ]);

export const agentIcon = (agent: AgentView): Icon => {
  if (agent.question !== null) return { name: 'question', color: WARNING };
  return cutShort(agent) === '' ? AGENT_ICONS[agent.state] : { name: 'warning', color: WARNING };
};

/** Grey text beside an agent: what it does now, then tokens of its own and with all below it, then what its step says. */
export const agentDescription = (agent: AgentView, subtreeUsed: number, step = ''): string => {
  const own = tokens(agent.tokens.used);
  const spent = subtreeUsed > agent.tokens.used ? `${own} / ${tokens(subtreeUsed)}` : own;
  // Who waits for others shows them first; who works, what it does.
  const parts = agent.state === 'pending' && step ? [step] : [doing(agent), spent, step];
  return parts.filter(Boolean).join(' · ');
};

/** What ran out before it was done: its work is there only in part. */
const CUT_SHORT: Readonly<Partial<Record<string, string>>> = {
  'out-of-budget': 'incomplete: out of tokens',
  'turn-limit': 'incomplete: out of turns',
  timeout: 'incomplete: out of time',
};

/** Empty: it said by itself that it was done, or it did not complete. */
const cutShort = (agent: AgentView): string =>
  agent.state === 'completed' ? (CUT_SHORT[agent.endReason ?? ''] ?? '') : '';

const doing = (agent: AgentView): string => {
  if (agent.question !== null) return `asks: ${oneLine(agent.question, 60)}`;
  if (agent.state === 'failed') return `failed: ${oneLine(agent.error ?? agent.endReason ?? '', 60)}`;
  if (agent.state === 'completed') return cutShort(agent);
  const now = agent.action ? oneLine(agent.action, 60) : agent.state;
  return agent.pausing === true && agent.state !== 'paused' ? `${now} · to pause` : now;
};

/** Words that `when` clauses of menus look for. */
export const agentContext = (agent: AgentView): string =>
  [
    'agent',
    ...(hasEnded(agent) ? ['ended'] : ['live', agent.pausing === true ? 'paused' : 'pausable']),
    ...(agent.question === null ? [] : ['asking']),
  ].join(' ');

/** True when the agent will take no further turn. */
export const hasEnded = (agent: AgentView): boolean => ['completed', 'failed', 'cancelled'].includes(agent.state);

/** Markdown that a person reads when the pointer rests on an agent. */
export const agentTooltip = (agent: AgentView, subtreeUsed: number, now: number, step = ''): string =>
  lines([
    `**${escapeMarkdown(agent.name)}** — ${agent.tier}${agent.role === agent.tier ? '' : `, ${escapeMarkdown(agent.role)}`}`,
    escapeMarkdown(oneLine(agent.task, 400)),
    table([
      ['State', [agent.state, agent.action, agent.endReason ?? ''].filter(Boolean).map(escapeMarkdown).join(' · ')],
      ['Tokens', tokenLine(agent.tokens)],
      ['With all below', tokens(subtreeUsed)],
      ['Prompt from the cache', cacheHit(agent)],
      ['Turns', String(agent.turns)],
      ['Time', agent.startedAt === null ? '' : duration((agent.endedAt ?? now) - agent.startedAt)],
      ['Branch', code(agent.branch)],
      ['Agent', code(agent.agent)],
    ]),
    step,
    agent.question === null ? '' : `$(question) ${escapeMarkdown(oneLine(agent.question, 500))}`,
    agent.error === null ? '' : `$(error) ${escapeMarkdown(oneLine(agent.error, 500))}`,
    agent.report === null ? '' : escapeMarkdown(oneLine(agent.report, 500)),
  ]);

/** Share of the prompt tokens that the server took from its KV cache. */
export const cacheHit = (agent: AgentView): string =>
  agent.prompt.sent > 0 ? `${percent(agent.prompt.cached, agent.prompt.sent)} of ${tokens(agent.prompt.sent)}` : '';

/** Used and reserved tokens as a share of what was granted, 0 to 1 or a little more after an overrun. */
export const budgetShare = (account: AccountView): number =>
  account.tokens.granted > 0 ? (account.tokens.subtreeUsed + account.tokens.reserved) / account.tokens.granted : 0;

/** From here on a budget is shown in a warning colour. */
export const WARN_SHARE = 0.8;

/** True when most of a budget is spent and somebody may still want more of it. */
export const isScarce = (account: AccountView): boolean => isOpen(account) && budgetShare(account) > WARN_SHARE;

/** What an ended agent did not use went back to where it came from. */
const isOpen = (account: AccountView): boolean => !CLOSED.has(account.state);
const CLOSED = new Set(['completed', 'failed', 'cancelled', 'answered', 'nothing', 'partial']);

/** The fuller the circle, the more is spent. */
export const budgetIcon = (account: AccountView): Icon => {
  if (!isOpen(account)) return { name: 'pass', color: GREY };
  if (isScarce(account)) return { name: 'warning', color: WARNING };
  return { name: budgetShare(account) > 0.5 ? 'color-mode' : 'circle-large-outline' };
};

/** Grey text beside an account. */
export const budgetDescription = (account: AccountView): string => {
  const { granted, reserved, subtreeUsed, available } = account.tokens;
  if (!isOpen(account) && granted <= subtreeUsed) return `${tokens(subtreeUsed)} used`;
  return [
    percent(subtreeUsed + reserved, granted),
    `${tokens(subtreeUsed)} of ${tokens(granted)}`,
    ...(reserved > 0 ? [`${tokens(reserved)} reserved`] : []),
    `${tokens(available)} available`,
  ].join(' · ');
};

/** Markdown that a person reads when the pointer rests on an account. */
export const budgetTooltip = (account: AccountView): string =>
  lines([
    `**${escapeMarkdown(account.name)}**`,
    table([
      ['Granted', tokens(account.tokens.granted)],
      ['Used, own', tokens(account.tokens.used)],
      ['Used, with all below', tokens(account.tokens.subtreeUsed)],
      ['Reserved for a call', tokens(account.tokens.reserved)],
      ['Available', tokens(account.tokens.available)],
      ['State', account.state],
    ]),
  ]);

/** True for a server that nobody has asked for anything yet. */
export const isUnused = (server: ServerView): boolean => !server.reachable && server.error === null;

/** Grey text beside a server. */
export const serverDescription = (server: ServerView): string => {
  if (!server.reachable) return `not reachable: ${oneLine(server.error ?? '', 80)}`;
  const context = server.contextSize === null ? [] : [`context ${tokens(server.contextSize)}`];
  return [
    `${server.slots.busy} of ${count(server.slots.total, 'slot')} busy`,
    ...(server.model ? [server.model] : []),
    ...context,
  ].join(' · ');
};

/** Grey text beside a job: its kind, its age, and why it does not go on. */
export const jobDescription = (job: JobView): string =>
  [
    job.kind,
    duration(job.ageMs),
    ...(job.attempts > 1 ? [`attempt ${job.attempts}`] : []),
    ...(job.error === null ? [] : [oneLine(job.error, 80)]),
  ].join(' · ');

/** One line for the status bar; `slots` is undefined as long as no server is known. */
export const statusText = (runs: readonly RunView[], slots: { busy: number; total: number } | undefined): string => {
  if (runs.length === 0) return '$(type-hierarchy) Coppice';
  const active = runs.reduce((sum, run) => sum + run.agents.active, 0);
  const used = runs.reduce((sum, run) => sum + run.tokens.used, 0);
  const parts = [
    count(active, 'agent'),
    ...(slots ? [`${slots.busy}/${slots.total} slots`] : []),
    `${tokens(used)} tokens`,
  ];
  return `$(sync~spin) ${parts.join(' · ')}`;
};

/** The findings of a setup check as a Markdown page. */
export const setupReport = (problems: readonly SetupProblem[]): string => {
  const mark = { ok: '✅', warning: '⚠️', error: '❌' };
  const bad = problems.filter((problem) => problem.severity !== 'ok').length;
  return lines([
    '# Coppice: setup',
    bad === 0 ? 'Everything is in place.' : `${count(bad, 'thing')} to look at.`,
    problems.map(({ severity, what, fix }) => `- ${mark[severity]} ${what}${fix && `\n  \n  → ${fix}`}`).join('\n'),
  ]);
};

const tokenLine = (t: { granted: number; used: number; reserved: number; available: number }): string =>
  `${tokens(t.used)} used of ${tokens(t.granted)}, ${tokens(t.reserved)} reserved, ${tokens(t.available)} available`;

const code = (text: string): string => `\`${text.replaceAll('`', "'")}\``;

const table = (rows: readonly (readonly [string, string])[]): string =>
  [
    '| | |',
    '|---|---|',
    ...rows.filter(([, value]) => value !== '').map(([name, value]) => `| ${name} | ${value.replaceAll('|', '\\|')} |`),
  ].join('\n');

const lines = (blocks: readonly string[]): string => blocks.filter((block) => block !== '').join('\n\n');
