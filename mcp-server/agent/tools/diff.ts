import { z } from 'zod';
import { truncate } from '../../domain/text.ts';
import { defineTool } from '../tool.ts';
import { plainPath } from './paths.ts';

export const gitDiff = defineTool({
  name: 'git_diff',
  description: 'Show all that you have changed so far, as a unified diff.',
  input: z.object({ path: z.string().optional().describe('only this file or folder') }),
  offered: ({ agent }) => agent.tier !== 'planner',
  action: (input) => `git_diff ${input.path ?? ''}`.trim(),
  run: async (context, input) => {
    const path = plainPath(input.path ?? '');
    const diff = await context.diff(path || undefined);
    const output = diff.trim() === '' ? `Nothing has changed${path && ` in ${path}`}.` : diff;
    return {
      ok: true,
      output: truncate(output, context.limits.outputChars, 'call git_diff with the path of one file'),
    };
  },
});
