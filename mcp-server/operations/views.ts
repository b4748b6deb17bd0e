import { z } from 'zod';

/** Schemas of what operations return. Each mirrors a type of the engine's façade. */
const tokens = z.object({
  granted: z.int(),
  available: z.int(),
  reserved: z.int(),
  used: z.int(),
});
const subtreeTokens = tokens.extend({ subtreeUsed: z.int() });

export const runState = z.enum([
  'planning',
  'planned',
  'running',
  'completed',
  'answered',
  'nothing',
  'partial',
  'failed',
  'cancelled',
]);

export const runView = z.object({
  run: z.string(),
  task: z.string(),
  state: runState,
  branch: z.string(),
  baseBranch: z.string().nullable(),
  baseCommit: z.string(),
  commit: z.string(),
  cancelRequested: z.enum(['no', 'wrap-up', 'abort']),
  server: z.string(),
  review: z.enum(['none', 'open', 'landed', 'discarded']),
  report: z.string().nullable(),
  error: z.string().nullable(),
  createdAt: z.number(),
  endedAt: z.number().nullable(),
  agents: z.object({ total: z.int(), completed: z.int(), failed: z.int(), active: z.int() }),
  tokens,
  stuck: z.string().nullable(),
  paused: z.boolean().optional(),
  approvals: z
    .array(
      z.object({
        approval: z.string(),
        skill: z.string(),
        question: z.string(),
        where: z.string(),
        agents: z.array(z.string()).readonly(),
      }),
    )
    .readonly()
    .optional()
    .describe('What agents want and a person has to allow first, and where they can.'),
  filesChanged: z.int().nullable(),
});

export const agentView = z.object({
  agent: z.string(),
  run: z.string(),
  parent: z.string().nullable(),
  name: z.string(),
  role: z.string(),
  tier: z.enum(['planner', 'executive', 'synthesizer', 'worker']),
  depth: z.int(),
  task: z.string(),
  state: z.enum(['pending', 'ready', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled']),
  action: z.string(),
  branch: z.string(),
  commit: z.string().nullable(),
  report: z.string().nullable(),
  error: z.string().nullable(),
  endReason: z.string().nullable(),
  createdAt: z.number(),
  startedAt: z.number().nullable(),
  endedAt: z.number().nullable(),
  tokens: subtreeTokens,
  prompt: z.object({ sent: z.int(), cached: z.int() }),
  turns: z.int(),
  pausing: z.boolean().optional(),
  question: z.string().nullable(),
});

const usage = z.object({ prompt: z.int(), completion: z.int(), cached: z.int() });
const answer = z.object({
  content: z.string(),
  reasoning: z.string(),
  toolCalls: z.array(z.object({ id: z.string(), name: z.string(), arguments: z.string() })),
  finish: z.enum(['stop', 'tool_calls', 'length']),
});

export const transcriptEntry = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('task'), text: z.string(), at: z.number() }),
  z.object({
    kind: z.literal('message'),
    from: z.string(),
    messageKind: z.string(),
    text: z.string(),
    at: z.number(),
  }),
  z.object({
    kind: z.literal('answer'),
    seq: z.int(),
    turnKind: z.string(),
    answer: answer.nullable(),
    usage: usage.nullable(),
    timings: z
      .object({ queueMs: z.number(), promptMs: z.number(), completionMs: z.number(), firstTokenMs: z.number() })
      .nullable(),
    commit: z.string().nullable(),
    calls: z.array(
      z.object({
        tool: z.string(),
        arguments: z.string(),
        ok: z.boolean(),
        output: z.string(),
        state: z.enum(['done', 'waiting']),
      }),
    ),
    at: z.number(),
  }),
]);

export const accountView = z.object({
  account: z.string(),
  parent: z.string().nullable(),
  name: z.string(),
  state: z.string(),
  tokens: subtreeTokens,
});

export const jobView = z.object({
  job: z.string(),
  run: z.string(),
  agent: z.string().nullable(),
  name: z.string(),
  kind: z.enum(['turn', 'merge', 'compute', 'undo', 'close']),
  priority: z.enum(['person', 'review', 'critical', 'batch']),
  state: z.enum(['queued', 'running', 'parked']),
  ageMs: z.number(),
  attempts: z.int(),
  error: z.string().nullable(),
});

export const serverView = z.object({
  url: z.string(),
  model: z.string().nullable(),
  reachable: z.boolean(),
  error: z.string().nullable(),
  slots: z.object({ busy: z.int(), total: z.int() }),
  contextSize: z.int().nullable(),
});

export const reviewView = z.object({
  run: z.string(),
  task: z.string(),
  state: runView.shape.state,
  review: runView.shape.review,
  branch: z.string(),
  base: z.string(),
  head: z.string(),
  files: z.int(),
  additions: z.int(),
  deletions: z.int(),
});

export const fileChange = z.object({
  path: z.string(),
  oldPath: z.string().nullable(),
  status: z.enum(['added', 'modified', 'deleted', 'renamed', 'type-changed']),
  additions: z.int().nullable(),
  deletions: z.int().nullable(),
});

export const landOutcome = z.object({
  kind: z.enum(['landed', 'conflict', 'dirty', 'wrong-branch']),
  branch: z.string().optional(),
  commit: z.string().optional(),
  files: z.array(z.string()).optional(),
  current: z.string().nullable().optional(),
  expected: z.string().optional(),
});

export const setupProblem = z.object({
  severity: z.enum(['error', 'warning', 'ok']),
  what: z.string(),
  fix: z.string(),
});

/** Events keep their own fields beside these; see domain/event.ts for each type. */
export const engineEvent = z.looseObject({
  seq: z.int(),
  at: z.number(),
  type: z.string(),
  run: z.string().nullable(),
  agent: z.string().nullable(),
});

export type RunView = z.infer<typeof runView>;
export type AgentView = z.infer<typeof agentView>;
export type TranscriptEntry = z.infer<typeof transcriptEntry>;
export type AccountView = z.infer<typeof accountView>;
export type JobView = z.infer<typeof jobView>;
export type ServerView = z.infer<typeof serverView>;
export type ReviewView = z.infer<typeof reviewView>;
export type FileChange = z.infer<typeof fileChange>;
export type LandOutcome = z.infer<typeof landOutcome>;
export type SetupProblem = z.infer<typeof setupProblem>;
export type EngineEvent = z.infer<typeof engineEvent>;
