import type { AccountView, AgentView, JobView, RunView } from '../../../mcp-server/operations/views.ts';

/** A run that goes on. */
export const runRow = (run: string, more: Partial<RunView> = {}): RunView => ({
  run,
  task: 'Map this repository',
  state: 'running',
  branch: `coppice/${run}`,
  baseBranch: 'main',
  baseCommit: '1'.repeat(40),
  commit: '1'.repeat(40),
  cancelRequested: 'no',
  server: 'http://127.0.0.1:8080',
  review: 'none',
  report: null,
  error: null,
  createdAt: 0,
  endedAt: ['planning', 'planned', 'running'].includes(more.state ?? 'running') ? null : 60_000,
  agents: { total: 4, completed: 1, failed: 0, active: 2 },
  tokens: { granted: 500_000, available: 400_000, reserved: 2000, used: 98_000 },
  filesChanged: null,
  stuck: null,
  ...more,
});

/** A worker that does nothing just now. */
export const agentRow = (agent: string, more: Partial<AgentView> & { used?: number } = {}): AgentView => {
  const { used = 0, ...rest } = more;
  return {
    agent,
    run: 'r-1',
    parent: null,
    name: `name of ${agent}`,
    role: 'mapper',
    tier: 'worker',
    depth: 1,
    task: 'Map the folder src.',
    state: 'ready',
    action: '',
    branch: `coppice/${agent}`,
    commit: null,
    report: null,
    error: null,
    endReason: null,
    createdAt: 0,
    startedAt: null,
    endedAt: null,
    tokens: { granted: 1000, available: 1000 - used, reserved: 0, used, subtreeUsed: used },
    prompt: { sent: 0, cached: 0 },
    turns: 0,
    question: null,
    ...rest,
  };
};

export const accountRow = (
  account: string,
  parent: string | null,
  tokens: Partial<AccountView['tokens']> = {},
): AccountView => ({
  account,
  parent,
  name: account,
  state: 'running',
  tokens: { granted: 1000, available: 1000, reserved: 0, used: 0, subtreeUsed: tokens.used ?? 0, ...tokens },
});

export const jobRow = (job: string, more: Partial<JobView> = {}): JobView => ({
  job,
  run: 'r-1',
  agent: 'a-1',
  name: 'map src',
  kind: 'turn',
  priority: 'batch',
  state: 'queued',
  ageMs: 0,
  attempts: 1,
  error: null,
  ...more,
});
