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

/** What the failed sagas of a run took back and what they could not; null when none has failed. */
export const undoneSection = (steps: readonly Step[], records: readonly UndoRecord[]): string | null => {
  const byAgent = new Map(steps.map((step) => [step.agent, step]));
  const failed = new Set(
    steps.filter(({ state }) => state === 'failed' || state === 'skipped').map(({ saga }) => saga),
  );
  const lines = records.toReversed().flatMap((record) => {
    const step = byAgent.get(record.agent);
    if (!step || step.saga === undefined || !failed.has(step.saga) || step.state !== 'done') return [];
    const result = record.result ? `: ${oneLine(record.result, 300)}` : '';
    return [`- ${oneLine(step.title, 60)}: ${WORDS[record.state]}${result}`];
  });
  return lines.length > 0 ? `## Undone\n\n${lines.join('\n')}` : null;
};
