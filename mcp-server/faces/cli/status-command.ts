import type { AgentView, EngineEvent, JobView, RunView, ServerView } from '../../operations/views.ts';
import { type CliContext, EXIT } from './context.ts';
import { approvalLine, queueLineOf, renderTree } from './live-tree.ts';
import { warnOfNotices } from './notices.ts';
import { createLineWriter } from './plain-lines.ts';
import { SteadyClient } from './run-events.ts';
import { fit, human, printable } from './terminal.ts';

/** `coppice status [RUN]`: all runs, or one run with its agents. */
export const statusCommand = async (context: CliContext, run: string | null, json: boolean): Promise<number> => {
  const client = new SteadyClient(context);
  try {
    if (run === null) {
      const { runs } = await client.call<{ runs: RunView[] }>('run_list', {});
      await warnOfNotices(context);
      context.terminal.print(json ? JSON.stringify(runs) : listOf(runs, context));
      return EXIT.ok;
    }
    const [view, agents, queue] = await Promise.all([
      client.call<RunView>('run_status', { run }),
      client.call<{ agents: AgentView[] }>('agent_list', { run }),
      client.call<{ servers: ServerView[]; jobs: JobView[] }>('queue_status', {}),
    ]);
    await warnOfNotices(context);
    if (json) context.terminal.print(JSON.stringify({ ...view, agentList: agents.agents }));
    else {
      const screen = {
        columns: context.terminal.size().columns,
        rows: Number.POSITIVE_INFINITY,
        color: context.terminal.color,
      };
      context.terminal.print(renderTree(view, agents.agents, queueLineOf(queue, view.server), screen).join('\n'));
    }
    return EXIT.ok;
  } finally {
    await client.close();
  }
};

const listOf = (runs: readonly RunView[], context: CliContext): string => {
  if (runs.length === 0) return `No runs yet. Start one: ${context.program} run "what is to be done"`;
  const { columns } = context.terminal.size();
  return runs
    .flatMap((run) => {
      const review = run.review === 'open' ? 'to review' : run.review === 'none' ? '' : run.review;
      const facts = [
        run.run,
        run.state.padEnd(9),
        `${human(run.tokens.used)}/${human(run.tokens.granted)}`.padEnd(12),
        review.padEnd(9),
      ];
      const line = fit(`${facts.join('  ')}  ${printable(run.task).replace(/\s+/g, ' ')}`, columns);
      return [line, ...(run.approvals ?? []).map((approval) => `  ${printable(approvalLine(approval))}`)];
    })
    .join('\n');
};

/** `coppice events`: what has happened after a number, and with `follow` what happens from now on, until Ctrl-C. */
export const eventsCommand = async (
  context: CliContext,
  options: { readonly after: number; readonly follow: boolean; readonly run: string | null; readonly json: boolean },
): Promise<number> => {
  const client = new SteadyClient(context);
  const leaving = new AbortController();
  const stopInterrupts = context.terminal.onInterrupt(() => leaving.abort());
  const left = new Promise<null>((resolve) =>
    leaving.signal.addEventListener('abort', () => resolve(null), { once: true }),
  );
  const lineOf = createLineWriter();
  try {
    for (let after = options.after; ; ) {
      const input = {
        after,
        waitMs: options.follow ? 30_000 : 0,
        ...(options.run === null ? {} : { run: options.run }),
      };
      const page = await Promise.race([client.call<{ events: EngineEvent[]; last: number }>('events', input), left]);
      if (page === null) return EXIT.ok;
      for (const event of page.events) {
        const line = options.json ? JSON.stringify(event) : lineOf(event);
        if (line !== null) context.terminal.print(options.json ? line : `${event.seq} ${line}`);
      }
      if (page.events.length === 0 && !options.follow) return EXIT.ok;
      after = page.last;
    }
  } finally {
    stopInterrupts();
    await client.close();
  }
};
