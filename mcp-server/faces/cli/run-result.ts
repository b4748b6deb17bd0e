import type { Commit, RunId } from '../../domain/ids.ts';
import type { RunResult } from '../../domain/run.ts';
import { counted } from '../../domain/text.ts';
import type { RunView } from '../../operations/views.ts';
import { EXIT } from './context.ts';
import { duration, human, printable } from './terminal.ts';

/** The last line of `coppice run --json`; `now` counts for a run that goes on while its follower leaves. */
export const runResult = (run: RunView, now = run.createdAt): RunResult => ({
  type: 'run.result',
  run: run.run as RunId,
  status: run.state,
  branch: run.branch,
  commit: run.commit as Commit,
  filesChanged: run.filesChanged ?? 0,
  agents: { total: run.agents.total, completed: run.agents.completed, failed: run.agents.failed },
  tokens: { granted: run.tokens.granted, used: run.tokens.used, reserved: run.tokens.reserved },
  wallMs: Math.max(0, (run.endedAt ?? now) - run.createdAt),
  report: run.report,
  error: run.error,
});

/** The exit status that tells how a run ended. */
export const exitStatusOf = (state: RunView['state']): number => {
  switch (state) {
    case 'completed':
    case 'answered':
      return EXIT.ok;
    case 'nothing':
      return EXIT.nothing;
    case 'partial':
      return EXIT.partial;
    case 'cancelled':
      return EXIT.cancelled;
    case 'failed':
    case 'planning':
    case 'planned':
    case 'running':
    default:
      return EXIT.failed;
  }
};

/** The end of a run in words, with what to do next. */
export const describeEnd = (run: RunView, program: string, repoFlag: string): string => {
  const lines = [
    '',
    `${run.state}: ${run.agents.completed} of ${counted(run.agents.total, 'agent')} completed, ` +
      `${human(run.tokens.used)} of ${human(run.tokens.granted)} tokens, ${duration(runResult(run).wallMs)}`,
  ];
  if (run.error) lines.push(`error: ${printable(run.error)}`);
  if (run.report) lines.push('', printable(run.report).trim());
  // A partial run without a failed agent has steps that are incomplete.
  if (run.state === 'partial' || (run.state === 'failed' && run.agents.failed > 0))
    lines.push('', `try the failed steps again: ${program} retry ${run.run}${repoFlag}`);
  if (run.filesChanged) {
    lines.push('', `${counted(run.filesChanged, 'file')} changed on ${run.branch}`);
    const review = (action: string): string => `${program} review ${run.run} --${action}${repoFlag}`;
    lines.push(`look:    ${review('patch')}`, `land:    ${review('land')}`, `discard: ${review('discard')}`);
  }
  return lines.join('\n');
};
