import type { ServerContext } from '@modelcontextprotocol/server';
import type { RunId } from '../../domain/ids.ts';
import { counted } from '../../domain/text.ts';
import type { Engine, RunView } from '../../engine/facade.ts';

const EVERY_MS = 1000;

/** Sends progress of a run while a client waits for it, if the client has asked for it. Returns how to stop. */
export const reportProgress = (
  engine: Engine,
  input: Record<string, unknown>,
  context: ServerContext,
): (() => void) => {
  const token = context.mcpReq._meta?.progressToken;
  if (token === undefined) return () => {};
  let last = -1;
  let busy = false;
  const tick = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      const run = await engine.runStatus(input['run'] as RunId);
      const { progress, total, message } = progressOf(run);
      if (stopped || progress <= last) return;
      last = progress;
      await context.mcpReq.notify({
        method: 'notifications/progress',
        params: { progressToken: token, progress, total, message },
      });
    } catch {
      // The waiting call itself reports what is wrong with the run or the connection.
    } finally {
      busy = false;
    }
  };
  let stopped = false;
  const timer = setInterval(() => void tick(), EVERY_MS);
  timer.unref();
  void tick();
  return () => {
    stopped = true;
    clearInterval(timer);
  };
};

/** Ended agents, plus the part of the budget that is used: grows with every settled turn, as MCP demands. */
export const progressOf = (run: RunView): { progress: number; total: number; message: string } => {
  const ended = run.agents.completed + run.agents.failed;
  const spent = run.tokens.granted === 0 ? 0 : Math.min(0.999, run.tokens.used / run.tokens.granted);
  return {
    progress: ended + spent,
    total: Math.max(run.agents.total, 1) + 1,
    message: `${run.state}: ${ended} of ${counted(run.agents.total, 'agent')} ended, ${run.tokens.used} of ${run.tokens.granted} tokens used`,
  };
};

/** Tells once a second for how long something has been going on whose end nobody knows. Returns how to stop. */
export const reportElapsed = (what: string, context: ServerContext, wanted: boolean): (() => void) => {
  const token = context.mcpReq._meta?.progressToken;
  if (token === undefined || !wanted) return () => {};
  let seconds = 0;
  const tick = (): void => {
    const params = { progressToken: token, progress: seconds, message: `${what}: ${seconds} s` };
    seconds += 1;
    context.mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {});
  };
  const timer = setInterval(tick, EVERY_MS);
  timer.unref();
  tick();
  return () => clearInterval(timer);
};
