import { z } from 'zod';
import { PATTERNS } from '../domain/plan.ts';
import { list } from './define.ts';
import { runState } from './views.ts';

/** Schemas of what operations on plans, forecasts and workflows return. Each mirrors a type of the engine's façade. */
export const patternName = z.enum(PATTERNS);

const quantiles = z.object({ p50: z.number(), p90: z.number() });
const basis = z.enum(['history', 'prior', 'mixed']);
const pastError = z.object({ runs: z.int(), percent: z.number(), bias: z.number(), belowP90: z.number() }).nullable();

export const forecastView = z.object({
  agents: z.int(),
  levels: list(z.object({ level: z.int(), name: z.string(), agents: z.int(), tokens: quantiles })),
  tokens: quantiles,
  wallMs: quantiles,
  disk: z.object({ worktrees: quantiles, bytes: quantiles.nullable() }),
  basis,
  observations: z.int(),
  agentsBy: z.object({ history: z.int(), prior: z.int(), mixed: z.int() }),
  slots: z.int(),
  pastError: z.object({ tokens: pastError, wallMs: pastError }),
  notes: list(z.string()),
});

export const remainingView = z.object({
  agents: z.int(),
  tokens: quantiles,
  wallMs: quantiles,
  eta: quantiles,
  basis,
});

const stepView = z.object({
  key: z.string(),
  title: z.string(),
  task: z.string(),
  role: z.string(),
  tier: z.enum(['planner', 'executive', 'synthesizer', 'worker']),
  needs: list(z.string()),
  parent: z.string().nullable(),
  temperature: z.number(),
  level: z.int(),
  state: z.enum(['pending', 'running', 'merging', 'done', 'failed', 'skipped', 'omitted']),
  agent: z.string().nullable(),
  attempt: z.int(),
  tokens: z.int(),
  pattern: patternName,
  when: z.string().nullable(),
  server: z.string().nullable(),
  model: z.string().nullable(),
  skills: list(z.string()),
  undo: z.string().nullable(),
  incomplete: z.string().nullable().optional(),
  undone: z.object({ state: z.enum(['running', 'done', 'failed', 'impossible']), result: z.string() }).nullable(),
});

export const planView = z.object({
  run: z.string(),
  task: z.string(),
  state: runState,
  pattern: patternName,
  because: z.string(),
  by: z.string(),
  complexity: z
    .object({ level: z.enum(['atomic', 'simple', 'moderate', 'complex', 'enterprise']), because: z.string() })
    .nullable(),
  cachedAt: z.number().nullable(),
  steps: list(stepView),
  cannotUndo: list(z.string()),
  forecast: forecastView,
  yaml: z.string(),
});

export const textFault = z.object({
  line: z.int().describe('From 0.'),
  column: z.int().describe('From 0.'),
  severity: z.enum(['error', 'warning']),
  message: z.string(),
});

export const workflowValue = z.union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()]))]);

export const workflowView = z.object({
  name: z.string(),
  description: z.string(),
  source: z.enum(['bundled', 'repository']),
  path: z.string(),
  parameters: z.record(
    z.string(),
    z.object({
      description: z.string().optional(),
      required: z.boolean().optional(),
      default: workflowValue.optional(),
      choices: list(z.union([z.string(), z.number()])).optional(),
    }),
  ),
  nodes: z.int(),
  faults: list(textFault),
});

export const recommendationView = z.object({
  pattern: patternName,
  because: z.string(),
  alternatives: list(z.object({ pattern: patternName, because: z.string() })),
  history: list(
    z.object({
      pattern: z.string(),
      runs: z.int(),
      successRate: z.number(),
      tokens: z.number(),
      wallMs: z.number(),
    }),
  ),
});
