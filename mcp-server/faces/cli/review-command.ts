import { counted } from '../../domain/text.ts';
import type { FileChange, LandOutcome, ReviewView } from '../../operations/views.ts';
import type { ReviewAction } from './arguments.ts';
import { type CliContext, EXIT } from './context.ts';
import type { EngineClient } from './engine-client.ts';
import { SteadyClient } from './run-events.ts';
import { fit, printable } from './terminal.ts';

/** A run's diff as the engine gives it. */
export interface ReviewDiff {
  readonly review: ReviewView;
  readonly files: readonly FileChange[];
  readonly patch: string;
}

/** `coppice review`: lists what there is, or shows, lands or drops one run. */
export const reviewCommand = async (
  context: CliContext,
  run: string | null,
  action: ReviewAction,
  json: boolean,
): Promise<number> => {
  const client = new SteadyClient(context);
  try {
    if (run === null) return await list(context, client, json);
    if (action === 'land') return await land(context, client, run, json);
    if (action === 'discard') return await discard(context, client, run, json);
    const diff = await client.call<ReviewDiff>('review_diff', { run });
    if (json) context.terminal.print(JSON.stringify(diff));
    else
      context.terminal.print(
        printable(action === 'patch' ? diff.patch : summaryOf(diff, context.terminal.size().columns)),
      );
    return EXIT.ok;
  } finally {
    await client.close();
  }
};

/** Files with added and removed lines, and their sum. */
export const summaryOf = (diff: ReviewDiff, columns: number): string => {
  const lines = diff.files.map((file) => {
    const counts = file.additions === null ? 'binary' : `+${file.additions} -${file.deletions}`;
    const from = file.oldPath === null ? '' : ` (was ${file.oldPath})`;
    return fit(`  ${file.status.padEnd(12)} ${counts.padEnd(10)} ${file.path}${from}`, columns);
  });
  const { review } = diff;
  return [
    ...lines,
    `${counted(review.files, 'file')} changed, +${review.additions} -${review.deletions}, on ${review.branch}`,
  ].join('\n');
};

const list = async (context: CliContext, client: EngineClient, json: boolean): Promise<number> => {
  const { reviews } = await client.call<{ reviews: ReviewView[] }>('review_list', {});
  if (json) context.terminal.print(JSON.stringify(reviews));
  else if (reviews.length === 0) context.terminal.print('Nothing to review.');
  else {
    const { columns } = context.terminal.size();
    for (const review of reviews) {
      const facts = `${review.run}  ${review.review.padEnd(9)}  ${counted(review.files, 'file')} +${review.additions} -${review.deletions}`;
      context.terminal.print(fit(`${facts}  ${printable(review.task).replace(/\s+/g, ' ')}`, columns));
    }
  }
  return EXIT.ok;
};

const land = async (context: CliContext, client: EngineClient, run: string, json: boolean): Promise<number> => {
  const outcome = await client.call<LandOutcome>('review_land', { run });
  context.terminal.print(json ? JSON.stringify(outcome) : printable(describeLanding(outcome)));
  return outcome.kind === 'landed' ? EXIT.ok : EXIT.failed;
};

const describeLanding = (outcome: LandOutcome): string => {
  const files = (outcome.files ?? []).map((file) => `  ${file}`).join('\n');
  switch (outcome.kind) {
    case 'landed':
      return `Landed on ${outcome.branch} as ${outcome.commit?.slice(0, 10)}.`;
    case 'conflict':
      return `Not landed, nothing was changed: these files conflict with your branch.\n${files}`;
    case 'dirty':
      return `Not landed, nothing was changed: you have uncommitted changes in these files. Commit or put them aside.\n${files}`;
    case 'wrong-branch':
    default:
      return `Not landed: the run started from ${outcome.expected}, and ${outcome.current ?? 'a detached HEAD'} is checked out.`;
  }
};

const discard = async (context: CliContext, client: EngineClient, run: string, json: boolean): Promise<number> => {
  const outcome = await client.call<{ keptWorktrees: string[] }>('review_discard', { run });
  if (json) context.terminal.print(JSON.stringify(outcome));
  else {
    context.terminal.print(`Discarded ${run}.`);
    for (const path of outcome.keptWorktrees)
      context.terminal.print(`  kept, because it holds something of its own: ${path}`);
  }
  return EXIT.ok;
};
