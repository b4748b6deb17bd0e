import type { Call, ToolCall } from '../domain/turn.ts';
import type { Effect, ToolContext, ToolResult } from './tool.ts';
import { runTool } from './tools/tools.ts';

/** The same call, with the same arguments, this many times in a row is a loop. */
export const LOOP_WARNING = 3;
export const LOOP_END = 6;

type Past = Pick<Call, 'tool' | 'arguments'>;

/** How often the agent has made exactly this call in a row before now. */
export const repeats = (call: ToolCall, earlier: readonly Past[]): number => {
  let count = 0;
  for (const past of [...earlier].reverse()) {
    if (past.tool !== call.name || past.arguments !== call.arguments) break;
    count += 1;
  }
  return count;
};

export interface Acted {
  readonly call: ToolCall;
  readonly result: ToolResult;
}

/**
 * Runs the calls of one answer in their order. Calls after a `finish` that was accepted are not run. Does not throw for a
 * tool's failure: that is a result.
 */
export const act = async (
  context: ToolContext,
  calls: readonly ToolCall[],
  earlier: readonly Past[],
  signal: AbortSignal,
): Promise<readonly Acted[]> => {
  const acted: Acted[] = [];
  const past = [...earlier];
  let finished = false;
  for (const call of calls) {
    signal.throwIfAborted();
    const result: ToolResult = finished ? notRun : await guarded(context, call, past, acted, signal);
    finished ||= result.effect?.kind === 'finish';
    acted.push({ call, result });
    past.push({ tool: call.name, arguments: call.arguments });
  }
  return acted;
};

/** Whether the agent goes on only when it has the answer. */
const isWaitedFor = (effect: Effect): boolean => {
  if (effect.kind === 'orchestrate' || effect.kind === 'nested-status') return effect.wait;
  return effect.kind === 'delegate' || effect.kind === 'ask' || effect.kind === 'split';
};

const notRun: ToolResult = { ok: false, output: 'Not run: you had finished.' };

const guarded = async (
  context: ToolContext,
  call: ToolCall,
  past: readonly Past[],
  acted: readonly Acted[],
  signal: AbortSignal,
): Promise<ToolResult> => {
  const before = repeats(call, past);
  if (before >= LOOP_WARNING)
    return {
      ok: false,
      output: `You have made this very call ${before} times. Its result is above. Do something else, or finish.`,
    };
  const ran = await runTool(context, call, signal);
  const notice = context.takeNotice?.() ?? null;
  const result = notice === null ? ran : { ...ran, output: `${notice}\n\n${ran.output}` };
  const waits = acted.some(({ result: { effect } }) => effect !== undefined && isWaitedFor(effect));
  if (result.effect?.kind === 'finish' && waits)
    return { ok: false, output: 'You wait for an answer: finish after you have it.' };
  return result;
};
