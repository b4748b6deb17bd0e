import { z } from 'zod';
import { reachOf } from '../../domain/run.ts';
import { oneLine, truncate } from '../../domain/text.ts';
import { defineTool, type ToolFacts } from '../tool.ts';

/** More steps than these are a plan of their own: `orchestrate`. */
const MOST_STEPS = 20;
const TASK_CHARS = 4000;
const NAME_CHARS = 40;

const text = z.string().trim().min(1);

/** Planners have no children; a resolver and whoever undoes something do one small thing. */
export const mayGrow = ({ agent, run }: ToolFacts): boolean =>
  agent.tier !== 'planner' && agent.role !== 'resolver' && agent.role !== 'undo' && agent.depth < reachOf(run.options);

const nameOr = (name: string | undefined, most: number): string | null => oneLine(name ?? '', most) || null;

export const splitStep = defineTool({
  name: 'split_step',
  harmless: true,
  description:
    'Propose to split your task into steps for new agents, if it is too big for one. You get their reports; their changes are merged into your copy.',
  input: z.object({
    steps: z
      .array(
        z.object({
          key: z.string().optional().describe('short name'),
          title: z.string().optional(),
          task: text.describe('all that its agent must know'),
          role: z.string().optional(),
          needs: z.array(z.string()).optional().describe('keys of steps before it'),
        }),
      )
      .min(2)
      .max(MOST_STEPS),
    pattern: z.enum(['fork-join', 'pipeline', 'map-reduce', 'scatter-gather']).optional(),
  }),
  offered: mayGrow,
  action: (input) => `split into ${input.steps.length} steps`,
  run: async (_context, { steps, pattern = null }) => ({
    ok: true,
    output: 'New agents work on the steps.',
    effect: {
      kind: 'split',
      pattern,
      steps: steps.map(({ key, title, task, role, needs = [] }) => ({
        key: nameOr(key, NAME_CHARS),
        title: nameOr(title, 60),
        task: truncate(task, TASK_CHARS),
        role: nameOr(role, NAME_CHARS),
        needs: needs.map((need) => oneLine(need, NAME_CHARS)),
      })),
    },
  }),
});
