import { z } from 'zod';
import type { RunId } from '../domain/ids.ts';
import { defineOperation, inputObject } from './define.ts';
import { fileChange, landOutcome, reviewView } from './views.ts';

const run = z.string().min(1);

const reviewList = defineOperation({
  name: 'review_list',
  title: 'Runs to review',
  description: 'Ended runs that changed files, and what became of them.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({}),
  output: z.object({ reviews: z.array(reviewView) }),
  handle: async (engine) => ({ reviews: [...(await engine.listReviews())] }),
});

const reviewDiff = defineOperation({
  name: 'review_diff',
  title: 'Diff of a run',
  description: 'Changed files of the run, and the unified diff (of one file when "path" is given).',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ run, path: z.string().optional() }),
  output: z.object({ review: reviewView, files: z.array(fileChange), patch: z.string() }),
  handle: async (engine, input) => {
    const diff = await engine.reviewDiff({ run: input.run as RunId, path: input.path });
    return { ...diff, files: [...diff.files] };
  },
});

const reviewFile = defineOperation({
  name: 'review_file',
  title: 'A file before or after a run',
  description: 'The text of a file at the base or at the head of a run; null where it does not exist.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ run, path: z.string().min(1), side: z.enum(['base', 'head']) }),
  output: z.object({ text: z.string().nullable() }),
  handle: (engine, input) => engine.reviewFile({ ...input, run: input.run as RunId }),
});

const reviewLand = defineOperation({
  name: 'review_land',
  title: 'Land a run',
  description:
    "Merges the run's branch into the person's branch after a dry run. Changes nothing when there is a conflict or when " +
    'uncommitted changes touch the same files; the outcome says which.',
  effect: 'changes',
  idempotent: true,
  input: inputObject({ run }),
  output: landOutcome,
  handle: async (engine, input) =>
    structuredClone(await engine.land(input.run as RunId)) as z.infer<typeof landOutcome>,
});

const reviewDiscard = defineOperation({
  name: 'review_discard',
  title: 'Discard a run',
  description:
    "Drops the result of a run: its branch and its agents' worktrees are removed. What cannot be removed safely is kept and named.",
  effect: 'destroys',
  idempotent: true,
  input: inputObject({ run }),
  output: z.object({ discarded: z.literal(true), keptWorktrees: z.array(z.string()) }),
  handle: async (engine, input) => {
    const { keptWorktrees } = await engine.discard(input.run as RunId);
    return { discarded: true as const, keptWorktrees: [...keptWorktrees] };
  },
});

export const reviewOperations = [reviewList, reviewDiff, reviewFile, reviewLand, reviewDiscard];
