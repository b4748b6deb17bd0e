import type { ToolContext } from '../../../mcp-server/agent/tool.ts';
import type { Agent } from '../../../mcp-server/domain/agent.ts';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import type { AgentId, Commit, JobId, MessageId, RunId, TurnId } from '../../../mcp-server/domain/ids.ts';
import type { Message } from '../../../mcp-server/domain/message.ts';
import type { Run, RunOptions } from '../../../mcp-server/domain/run.ts';
import type { Call, Turn } from '../../../mcp-server/domain/turn.ts';
import type { WritableTree } from '../../../mcp-server/worktrees/port.ts';

export const RUN = 'r-1' as RunId;
export const COMMIT = 'c'.repeat(40) as Commit;

export const runRow = (options: Partial<RunOptions> = {}, task = 'Make it better'): Run => ({
  id: RUN,
  key: null,
  task,
  state: 'running',
  options: {
    budget: 100_000,
    maxDepth: 3,
    maxAgents: 20,
    maxAgentsPerLevel: 20,
    concurrency: 2,
    server: 'http://127.0.0.1:1',
    model: null,
    permissions: { commands: 'off' },
    unattended: false,
    ...options,
  },
  baseBranch: 'main',
  baseCommit: COMMIT,
  branch: 'coppice/x',
  headCommit: COMMIT,
  cancelRequested: 'no',
  report: null,
  error: null,
  review: 'none',
  createdAt: 0,
  endedAt: null,
});

export const agentRow = (more: Partial<Agent> = {}): Agent => ({
  id: 'a-1' as AgentId,
  run: RUN,
  parent: null,
  step: null,
  depth: 1,
  tier: 'worker',
  role: 'worker',
  name: 'map docs',
  task: 'Map the docs',
  temperature: 0.7,
  state: 'running',
  action: '',
  branch: 'coppice/x.a-1',
  baseCommit: COMMIT,
  headCommit: COMMIT,
  report: null,
  error: null,
  endReason: null,
  wrapUp: false,
  compactedBefore: 0,
  createdAt: 0,
  startedAt: 0,
  endedAt: null,
  ...more,
});

export const turnRow = (seq: number, content: string, more: Partial<Turn> = {}): Turn => ({
  id: `t-${seq}` as TurnId,
  agent: 'a-1' as AgentId,
  job: `j-${seq}` as JobId,
  seq,
  kind: 'normal',
  state: 'done',
  reserved: 0,
  answer: { content, reasoning: 'secret thoughts', toolCalls: [], finish: 'tool_calls' },
  usage: null,
  timings: null,
  commit: null,
  startedAt: seq,
  endedAt: seq,
  ...more,
});

export const callRow = (seq: number, ordinal: number, more: Partial<Call> = {}): Call => ({
  turn: `t-${seq}` as TurnId,
  ordinal,
  callId: `call-${seq}-${ordinal}-id`,
  tool: 'read_file',
  arguments: '{"path":"a.ts"}',
  state: 'done',
  ok: true,
  output: 'a.ts (1 line)\nx',
  waitsFor: null,
  ...more,
});

export const messageRow = (body: string, more: Partial<Message> = {}): Message => ({
  id: 'm-1' as MessageId,
  run: RUN,
  to: 'a-1' as AgentId,
  from: 'person',
  kind: 'steer',
  priority: 0,
  body,
  createdAt: 0,
  turn: null,
  ...more,
});

/** A worktree in memory. Files with NUL in them are not text. */
export class MemoryTree implements WritableTree {
  readonly entries: Map<string, string>;

  constructor(files: Readonly<Record<string, string>> = {}) {
    this.entries = new Map(Object.entries(files));
  }

  async list(folder: string): Promise<readonly string[] | null> {
    const prefix = folder === '' ? '' : `${folder}/`;
    const names = [...this.entries.keys()]
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length));
    if (names.length === 0 && folder !== '') return null;
    return [...new Set(names.map((name) => name.replace(/\/.*$/, '/')))].sort();
  }

  async files(): Promise<readonly string[]> {
    return [...this.entries.keys()].sort();
  }

  async read(path: string): Promise<string | null> {
    const text = this.entries.get(path) ?? null;
    if (text?.includes('\0')) throw new UserError('bad-input', `${path} is not text.`);
    return text;
  }

  async write(path: string, text: string): Promise<void> {
    if (path.startsWith('.git/')) throw new UserError('permission-denied', `${path} is protected.`);
    this.entries.set(path, text);
  }

  async remove(path: string): Promise<void> {
    this.entries.delete(path);
  }
}

export interface FakeContext extends ToolContext {
  readonly files: MemoryTree;
  /** How often a worktree was asked for. */
  leases: number;
}

export const contextFor = (
  files: Readonly<Record<string, string>> = {},
  more: Partial<ToolContext> & { readonly options?: Partial<RunOptions> } = {},
): FakeContext => {
  const tree = new MemoryTree(files);
  const { options, ...rest } = more;
  const context: FakeContext = {
    agent: agentRow(),
    run: runRow(options),
    files: tree,
    leases: 0,
    tree: async () => tree,
    writable: async () => {
      context.leases += 1;
      return tree;
    },
    folder: async () => process.cwd(),
    diff: async (path) => (path === undefined ? 'diff of everything' : ''),
    limits: { outputChars: 2000 },
    environment: { PATH: process.env['PATH'] ?? '' },
    commandsDir: null,
    skills: null,
    ...rest,
  };
  return context;
};

export const never = (): AbortSignal => new AbortController().signal;
