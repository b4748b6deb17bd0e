import type { RunView } from '../../operations/views.ts';
import { type CliContext, EXIT } from './context.ts';
import { SteadyClient } from './run-events.ts';

/** `coppice pause` and `coppice continue`: a run, or one agent of it. */
export const pauseCommand = async (
  context: CliContext,
  command: 'pause' | 'continue',
  {
    run,
    agent,
    alone,
    json,
  }: { readonly run: string; readonly agent: string | null; readonly alone: boolean; readonly json: boolean },
): Promise<number> => {
  const client = new SteadyClient(context);
  try {
    const which = { run, ...(agent === null ? {} : { agent }), subtree: !alone };
    const view = await client.call<RunView>(`agent_${command}`, which);
    const what = agent ?? run;
    const said = command === 'continue' ? 'goes on.' : 'pauses: turns that are under way still end.';
    context.terminal.print(json ? JSON.stringify(view) : `${what} ${said}`);
    return EXIT.ok;
  } finally {
    await client.close();
  }
};
