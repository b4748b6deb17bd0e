import type { RunView } from '../../operations/views.ts';
import type { Hello } from '../host/control.ts';
import { ask } from '../host/find-engine.ts';
import { type CliContext, EXIT } from './context.ts';
import { SteadyClient } from './run-events.ts';

/** `coppice stop`: ends the engine gracefully, within a bound; never starts one. */
export const stopEngine = async (
  context: CliContext,
  options: { readonly seconds: number; readonly now: boolean; readonly json: boolean; kill(pid: number): void },
): Promise<number> => {
  const { terminal } = context;
  const say = (stopped: boolean, text: string): void =>
    terminal.print(options.json ? JSON.stringify({ stopped }) : text);
  const socket = await context.connectIfRunning();
  if (!socket) {
    say(true, 'No engine runs for this repository.');
    return EXIT.ok;
  }
  const closed = new Promise<'closed'>((resolve) => socket.once('close', () => resolve('closed')));
  const hello = await ask<Hello>(socket, 'coppice/hello', {}, 5000);
  if (options.now && hello) options.kill(hello.pid);
  else await ask(socket, 'coppice/stop', {}, 5000);
  // The engine ends this connection last of all.
  socket.resume();
  socket.once('end', () => socket.end());
  const bound = new AbortController();
  const late = context.clock.sleep(options.seconds * 1000, bound.signal).then(() => 'late' as const);
  const outcome = await Promise.race([closed, late]);
  bound.abort();
  socket.destroy();
  if (outcome === 'closed') say(true, 'Stopped. What was under way goes on at the next start.');
  else
    say(
      false,
      `The engine (pid ${hello?.pid ?? 'unknown'}) still stops after ${options.seconds} s. "stop --now" ends it at once.`,
    );
  return outcome === 'closed' ? EXIT.ok : EXIT.failed;
};

/** `coppice stop RUN`: cancels one run. */
export const stopRun = async (
  context: CliContext,
  run: string,
  options: { readonly now: boolean; readonly json: boolean },
): Promise<number> => {
  const client = new SteadyClient(context);
  try {
    const view = await client.call<RunView>('run_cancel', { run, mode: options.now ? 'abort' : 'wrap-up' });
    context.terminal.print(
      options.json ? JSON.stringify(view) : `${run} ${view.endedAt === null ? 'is ending' : view.state}.`,
    );
    return EXIT.ok;
  } finally {
    await client.close();
  }
};
