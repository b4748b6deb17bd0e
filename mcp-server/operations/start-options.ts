import { z } from 'zod';
import { DISTRIBUTIONS } from '../domain/plan.ts';
import { inputObject } from './define.ts';
import { patternName } from './planning-views.ts';

const seconds = z.int().min(1000).nullable();

/** How a run is planned; what is left out comes from the settings of the engine. */
const planning = inputObject({
  pattern: patternName
    .exclude(['single', 'workflow'])
    .nullable()
    .optional()
    .describe('Null: chosen from the shape of the steps.'),
  domain: z.enum(['software', 'research', 'analysis', 'planning']).nullable().optional(),
  workers: z
    .int()
    .min(1)
    .max(1000)
    .nullable()
    .optional()
    .describe('Workers that are wished for; null: as many as the task is worth.'),
  fanIn: z.int().min(2).max(50).optional().describe('Reports that one synthesizer joins.'),
  servers: z
    .array(
      inputObject({
        server: z.string().min(1),
        model: z.string().min(1).nullable().default(null),
        capabilities: z.array(z.string().min(1)).default([]),
      }),
    )
    .max(100)
    .optional()
    .describe('Inference servers beside the own one, among which steps are shared out.'),
  distribution: z.enum(DISTRIBUTIONS).optional().describe('How steps are shared out among inference servers.'),
  retries: z.int().min(0).max(10).optional().describe('Fresh tries of a failed step.'),
  timeouts: inputObject({ worker: seconds, synthesizer: seconds, executive: seconds })
    .optional()
    .describe('Wall time of one agent by tier, ms; null: no bound.'),
  gate: z.enum(['ask', 'go']).optional().describe('"ask": the plan waits for plan_approve before any agent begins.'),
  maxForecastTokens: z
    .int()
    .min(1)
    .nullable()
    .optional()
    .describe('A plan whose p90 is above this waits for plan_approve.'),
  cache: z.boolean().optional().describe('False: a plan of an earlier run of the same task and commit is not taken.'),
  levelNames: z
    .array(z.string().trim().max(40))
    .max(20)
    .optional()
    .describe('What the levels of agents are called, the uppermost first; an empty one has its usual name.'),
});

/** What a person can set for one run; what is left out comes from the settings of the engine. */
export const startOptions = inputObject({
  budget: z.int().min(1).optional().describe('Tokens that the whole run may spend.'),
  maxDepth: z
    .int()
    .min(1)
    .max(20)
    .optional()
    .describe('Levels of agents below the run; how many of them are used follows from how complex the task is.'),
  maxAgents: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe(
      'The planner, the agents of the plan and those that they make, in all. Fresh tries of failed steps and agents that resolve merge conflicts or undo a step come on top.',
    ),
  maxAgentsPerLevel: z.int().min(1).max(10_000).optional(),
  concurrency: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe("Turns in flight at once; the server's slots bound it too."),
  server: z.string().optional().describe('http://host:port of a llama-server, or "rehearsal" for the built-in rules.'),
  model: z.string().nullable().optional(),
  permissions: inputObject({
    commands: z.union([z.enum(['off', 'any']), z.strictObject({ allowed: z.array(z.string()) })]),
  })
    .optional()
    .describe('What agents may do besides files. Commands are off unless the settings of the repository allow them.'),
  unattended: z.boolean().optional().describe('No person will answer questions.'),
  planning: planning.optional(),
});
