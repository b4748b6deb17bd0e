import type { Step } from '../domain/plan.ts';
import { oneLine } from '../domain/text.ts';
import type { UndoRecord } from '../domain/undo.ts';

const WORDS: Readonly<Record<UndoRecord['state'], string>> = {
  recorded: 'not undone',
  running: 'not undone',
  done: 'undone',
  failed: 'could NOT be undone',
  impossible: 'could NOT be undone',
};

/** What the failed sagas of a run took back and what they could not, in the order of `records`; null when that is nothing. */
export const undoneSection = (steps: readonly Step[], records: readonly UndoRecord[]): string | null => {
  const byAgent = new Map(steps.map((step) => [step.agent, step]));
  const lines = records.flatMap((record) => {
    const step = byAgent.get(record.agent);
    if (!step) return [];
    const result = record.result ? `: ${oneLine(record.result, 300)}` : '';
    return [`- ${oneLine(step.title, 60)}${howFar(step)}: ${WORDS[record.state]}${result}`];
  });
  return lines.length > 0 ? `## Undone\n\n${lines.join('\n')}` : null;
};

const howFar = ({ state }: Step): string =>
  state === 'done' ? '' : state === 'omitted' ? ' (stopped half-way)' : ' (failed half-way)';
