import { z } from 'zod';
import { type Condition, WISHED_PATTERNS } from '../../domain/plan.ts';

/** Names of workflows, nodes and parameters: they become parts of step keys. */
const Name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be lower-case letters, digits and hyphens, at most 40 characters');
const Text = z.string().trim().min(1, 'must not be empty');
const Names = z.union([Text, z.array(Text)]).transform((names) => (typeof names === 'string' ? [names] : names));
const Value = z.union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()]))]);
/** A list as it is, or the placeholder of a parameter that holds one. */
const Items = z.union([z.array(z.union([z.string(), z.number()])).min(1), Text]);

export const condition: z.ZodType<Condition> = z.lazy(() =>
  z.union([
    z.strictObject({ step: Text, is: z.enum(['done', 'failed', 'omitted']) }),
    z.strictObject({ step: Text, says: Text }),
    z.strictObject({ step: Text, above: z.number() }),
    z.strictObject({ step: Text, below: z.number() }),
    z.strictObject({ not: condition }),
    z.strictObject({ all: z.array(condition).min(1) }),
    z.strictObject({ any: z.array(condition).min(1) }),
  ]),
);

export const edgePolicy = z.enum(['fail', 'continue', 'compensate']);

const Undo = z.union([
  z.strictObject({ revert: z.literal(true) }).transform(() => ({ kind: 'revert' }) as const),
  z
    .strictObject({ command: z.array(Text).min(1) })
    .transform(({ command }) => ({ kind: 'command', argv: command }) as const),
  z.strictObject({ agent: Text }).transform(({ agent }) => ({ kind: 'agent', task: agent }) as const),
  z.strictObject({ none: Text }).transform(({ none }) => ({ kind: 'none', reason: none }) as const),
]);

const Stage = z.strictObject({
  name: Name,
  prompt: Text.optional(),
  role: Text.optional(),
  processor: Name.optional(),
  options: z.record(z.string(), z.unknown()).optional(),
});

export interface WorkflowNode extends z.output<typeof NodeFields> {
  readonly nodes?: Readonly<Record<string, WorkflowNode>> | undefined;
}

const NodeFields = z.strictObject({
  title: Text.optional().describe('A short name for people.'),
  role: Text.optional().describe('worker, researcher, writer, tester, or any role in plain words.'),
  prompt: Text.optional().describe('What the agent is told to do. {{name}} stands for a parameter.'),
  needs: Names.optional().describe('Nodes that come before this one.'),
  tier: z.enum(['worker', 'synthesizer', 'executive']).optional(),
  budget: z.number().positive().max(100).optional().describe('Percent of the tokens of the run.'),
  skills: z.array(Text).optional(),
  capabilities: z.array(Text).optional(),
  files: z.array(Text).optional().describe('Paths that it will change.'),
  server: Text.optional(),
  model: Text.optional(),
  temperature: z.number().min(0).max(2).optional(),
  commands: z
    .union([z.literal('off'), z.array(Text)])
    .optional()
    .describe('Programs that it may run, among those that the run may.'),
  retries: z.int().min(0).max(10).optional(),
  timeout: z.number().positive().optional().describe('Seconds of wall time.'),
  urgency: z.int().optional(),
  when: condition.optional().describe('Starts only if this holds; else it is left out.'),
  onFailure: z
    .union([edgePolicy, z.record(z.string(), edgePolicy)])
    .optional()
    .describe('What it does when a node that it needs has failed; for all of them, or for each.'),
  saga: Name.optional().describe('Nodes of one saga stand or fall together.'),
  undo: Undo.optional(),
  processor: Name.optional().describe('A plain function over the reports of its needs, in place of an agent.'),
  options: z.record(z.string(), z.unknown()).optional(),
  workflow: Name.optional().describe('Another workflow, in place of an agent.'),
  with: z.record(z.string(), Value).optional().describe('Parameters of that workflow.'),
  repeat: z
    .strictObject({ atMost: z.int().min(1).max(20), until: condition.optional() })
    .optional()
    .describe('Carries its nodes out again until the condition holds.'),
  pattern: z.enum(WISHED_PATTERNS).optional(),
  over: Items.optional().describe('The items of a pattern; {{item}} in the prompt stands for one.'),
  stages: z.array(Stage).min(1).optional().describe('Of a pipeline.'),
  agents: z.int().min(2).max(50).optional().describe('Of a scatter-gather: how many are asked.'),
  quorum: z
    .int()
    .min(1)
    .optional()
    .describe('So many of its needs are enough to start; of a scatter-gather: so many answers.'),
  within: z
    .number()
    .positive()
    .optional()
    .describe(
      'Seconds that it waits for its needs, or a scatter-gather for answers; then it goes on with what there is.',
    ),
  gather: z.enum(['vote', 'best-of', 'merge']).optional(),
  reduce: Name.optional().describe('A reducer: concat, merge, vote, weighted-average, or your own.'),
});

const Node: z.ZodType<WorkflowNode> = z.lazy(() =>
  NodeFields.extend({ nodes: z.record(Name, Node).optional().describe('Of a loop or a saga.') }),
);

const Parameter = z.strictObject({
  description: Text.optional(),
  required: z.boolean().optional(),
  default: Value.optional(),
  choices: z
    .array(z.union([z.string(), z.number()]))
    .min(1)
    .optional(),
});

/** A workflow file: `.coppice/workflows/<name>.yaml`. */
export const WorkflowFile = z.strictObject({
  name: Name,
  description: Text,
  parameters: z.record(Name, Parameter).optional(),
  pattern: z.literal('workflow').optional(),
  nodes: z.record(Name, Node),
});

export type Workflow = z.output<typeof WorkflowFile>;
export type WorkflowParameter = z.output<typeof Parameter>;
export type WorkflowValue = z.output<typeof Value>;

/** For editors: completion and errors while typing. */
export const workflowJsonSchema = (): Readonly<Record<string, unknown>> =>
  z.toJSONSchema(WorkflowFile, { io: 'input', reused: 'ref' }) as Record<string, unknown>;
