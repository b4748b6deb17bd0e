import { type Agent, cutShort } from '../domain/agent.ts';
import type { Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import { isSettled } from '../domain/transitions.ts';
import type { UndoRecord } from '../domain/undo.ts';
import type { Reader, Tx } from '../store/port.ts';
import type { EngineParts } from './parts.ts';
import { undoJob } from './spawn.ts';

type Makes = Pick<EngineParts, 'random' | 'clock'>;

/** A saga of which a step has failed. */
export interface FailedSaga {
  readonly name: string;
  readonly members: readonly Step[];
  /** What is still to be taken back, the last one first. */
  readonly open: readonly UndoRecord[];
}

const isFailed = ({ state }: Step): boolean => state === 'failed' || state === 'skipped';

/** The run's sagas that have failed, in the plan's order. A person who stops a run does not want its steps undone. */
export const failedSagas = async (reader: Reader, run: Run): Promise<readonly FailedSaga[]> => {
  if (run.cancelRequested !== 'no') return [];
  const bySaga = Map.groupBy(await reader.steps(run.id), (step) => step.saga);
  const failed = [...bySaga].filter(([name, members]) => name !== undefined && members.some(isFailed));
  if (failed.length === 0) return [];
  const records = (await reader.undos(run.id)).toReversed();
  return failed.map(([name = '', members]) => {
    const done = new Set(members.filter(({ state }) => state === 'done').map(({ agent }) => agent));
    const open = records.filter(({ agent, state }) => done.has(agent) && (state === 'recorded' || state === 'running'));
    return { name, members, open };
  });
};

/** A step of a saga has settled: whether there may be something to undo now, or somebody to stop. */
export const isToBeUndone = async (tx: Tx, run: Run, step: Step): Promise<boolean> =>
  step.saga !== undefined && (await failedSagas(tx, run)).some(({ name }) => name === step.saga);

/** What follows a saga that has failed begins when that has been undone; so it does not begin from what goes away. */
export const waitsForUndo = async (tx: Tx, run: Run, step: Step): Promise<boolean> => {
  if (step.needs.length === 0) return false;
  const sagas = new Set((await tx.needs(step.id)).map(({ saga }) => saga));
  sagas.delete(undefined);
  if (step.saga !== undefined) sagas.delete(step.saga);
  if (sagas.size === 0) return false;
  return (await failedSagas(tx, run)).some(
    ({ name, open, members }) => sagas.has(name) && (open.length > 0 || members.some(({ state }) => !isSettled(state))),
  );
};

/** The agent that was to take something back has ended. */
export const undoSettled = async (makes: Makes, tx: Tx, run: Run, worker: Agent, ok: boolean): Promise<void> => {
  const record = await tx.undoBy(worker.id);
  if (record?.state !== 'running') return;
  const cut = cutShort(worker);
  const text = (ok ? worker.report : (worker.error ?? worker.report)) ?? '';
  await endUndo(
    makes,
    tx,
    run,
    record,
    ok && cut === null ? 'done' : 'failed',
    cut ? `incomplete, ${cut}: ${text}` : text,
  );
  await tx.enqueue([undoJob(makes, run.id)], makes.clock.now());
};

/** What came of taking something back, for good. */
export const endUndo = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  record: UndoRecord,
  state: 'done' | 'failed' | 'impossible',
  result: string,
): Promise<void> => {
  const now = makes.clock.now();
  await tx.moveUndo(record.agent, state, { result, endedAt: now });
  const step = await tx.step(record.step);
  await tx.emit(now, [{ type: 'step.undone', run: run.id, agent: record.agent, step: step?.key ?? '', state, result }]);
};
