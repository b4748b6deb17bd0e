import { type Acted, LOOP_END, repeats } from '../agent/act.ts';
import type { WrapUp } from '../agent/prepare.ts';
import type { FinishOutcome } from '../agent/tool.ts';
import type { Agent } from '../domain/agent.ts';
import type { Answer, Call, Turn, TurnKind } from '../domain/turn.ts';
import type { Ending } from './retire.ts';

/** What the agent's last turn was for, seen from its row and the turn's kind. */
export const wrapUpOf = (agent: Agent, kind: TurnKind, turns: number, mostTurns: number): WrapUp | null => {
  if (kind !== 'wrap-up') return null;
  if (agent.wrapUp) return agent.wrapUpWhy ?? 'cancel';
  return turns > mostTurns ? 'turn-limit' : 'budget';
};

/** Whether there would be an ordinary turn to make use of something in, and another one to end with. */
export const hasTurns = (agent: Agent, { kind, seq }: Turn, mostTurns: number): boolean =>
  kind === 'normal' && !agent.wrapUp && seq + 1 < mostTurns;

const REASON = {
  budget: 'out-of-budget',
  cancel: 'cancelled',
  'turn-limit': 'turn-limit',
  timeout: 'timeout',
  caller: 'cancelled',
  'not-needed': 'omitted',
} as const;

/** How an agent ends that was asked to stop; null: it can say nothing. */
export const stoppedEnding = ({ wrapUpWhy }: Pick<Agent, 'wrapUpWhy'>, report: string | null): Ending => {
  if (wrapUpWhy !== 'timeout') return { ...wrapped(wrapUpWhy ?? 'cancel', ''), report };
  if (report !== null) return wrapped('timeout', report);
  return { state: 'failed', reason: 'timeout', report, error: 'Its time was over before it could report.' };
};

/** Somebody wanted the agent to stop, rather than that it came to an end of something. */
const STOPS: ReadonlySet<WrapUp> = new Set(['cancel', 'not-needed', 'caller']);

const wrapped = (wrapUp: WrapUp, report: string): Ending => ({
  state: STOPS.has(wrapUp) ? 'cancelled' : 'completed',
  reason: REASON[wrapUp],
  report,
  error: null,
});

/** Whether this turn is the agent's last, and how it ends. Null: it goes on. */
export const endingOf = (
  agent: Agent,
  answer: Answer,
  acted: readonly Acted[],
  wrapUp: WrapUp | null,
  past: { readonly turns: readonly Turn[]; readonly calls: readonly Call[] },
): Ending | null => {
  const finish = acted.find(({ result }) => result.effect?.kind === 'finish')?.result.effect;
  if (finish?.kind === 'finish') {
    // Who could not do it has not done it, however little was left to try with.
    const failed = finish.outcome === 'blocked' && (!wrapUp || !STOPS.has(wrapUp));
    const isWhole = finish.outcome === 'whole' && (!wrapUp || !STOPS.has(wrapUp));
    if (wrapUp && !failed && !isWhole) return wrapped(wrapUp, finish.report);
    return finished(finish.report, finish.outcome);
  }
  if (wrapUp) return wrapped(wrapUp, answer.content.trim() || ruleReport(agent, past.calls, wrapUp));
  const loops = acted.filter(({ call }) => repeats(call, past.calls) >= LOOP_END);
  if (loops.length > 0) return loopEnd(agent, past.calls, loops[0]?.call.name ?? '');
  if (answer.toolCalls.length > 0) return null;
  return plainText(answer, past.turns);
};

const finished = (report: string, outcome: FinishOutcome): Ending => {
  if (outcome === 'blocked') return { state: 'failed', reason: 'blocked', report, error: report };
  return { state: 'completed', reason: outcome === 'nothing' ? 'nothing' : 'finished', report, error: null };
};

/** Plain text is the report; nothing at all, or an answer that was cut, gets another chance first. */
const plainText = (answer: Answer, turns: readonly Turn[]): Ending | null => {
  const text = answer.content.trim();
  const chances = turns.slice(-2).filter((t) => t.answer && isPoor(t.answer)).length;
  if (isPoor(answer) && chances < 2) return null;
  if (text) return { state: 'completed', reason: 'answered', report: text, error: null };
  return { state: 'failed', reason: 'bad-answers', report: null, error: 'The model answered nothing, three times.' };
};

/** Neither a report nor a tool call. */
export const isPoor = (answer: Answer): boolean =>
  answer.toolCalls.length === 0 && (answer.finish === 'length' || answer.content.trim() === '');

const loopEnd = (agent: Agent, calls: readonly Call[], tool: string): Ending => ({
  state: 'failed',
  reason: 'bad-answers',
  report: ruleReport(agent, calls, 'turn-limit'),
  error: `It repeated the same call of ${tool} over and over.`,
});

const WHY = {
  budget: 'Its tokens ran out',
  cancel: 'It was cancelled',
  'turn-limit': 'It reached its limit of turns',
  timeout: 'Its time was over',
  caller: 'It was stopped by the agent above',
  'not-needed': 'It was not needed any more',
} as const;

/** A report made by rule, for an agent that can no longer write one. */
export const ruleReport = (agent: Agent, calls: readonly Call[], why: WrapUp): string => {
  const changed = calls
    .filter((call) => call.ok && (call.tool === 'write_file' || call.tool === 'edit_file'))
    .map((call) => /"path"\s*:\s*"([^"]+)"/.exec(call.arguments)?.[1])
    .filter((path) => path !== undefined);
  const files = [...new Set(changed)];
  const what = files.length > 0 ? `It had changed: ${files.join(', ')}.` : 'It had changed no file.';
  return `${WHY[why]} before it could report. Task: ${agent.name}. It made ${calls.length} tool calls. ${what}`;
};
