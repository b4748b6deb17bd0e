import { type Agent, cutShort } from '../domain/agent.ts';
import type { Makes } from '../domain/ids.ts';
import type { Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import { isSettled } from '../domain/transitions.ts';
import type { UndoRecord } from '../domain/undo.ts';
import type { Reader, Tx } from '../store/port.ts';
import { bringsWork } from './brings-work.ts';
import { undoJob } from './spawn.ts';

/** A saga of which a step has failed. */
export interface FailedSaga {
  readonly name: string;
  readonly members: readonly Step[];
  /** What is still to be taken back, the last one first. */
  readonly open: readonly UndoRecord[];
}

const isFailed = ({ state }: Step): boolean => state === 'failed' || state === 'skipped';

/** The sagas of which a step has failed, by name, each with all of its steps; in the plan's order. */
export const sagasWithFailure = (steps: readonly Step[]): ReadonlyMap<string, readonly Step[]> => {
  const found = new Map<string, readonly Step[]>();
  for (const [name, members] of Map.groupBy(steps, ({ saga }) => saga))
    if (name !== undefined && members.some(isFailed)) found.set(name, members);
  return found;
};

/** The run's sagas that have failed, in the plan's order. A person who stops a run does not want its steps undone. */
export const failedSagas = async (reader: Reader, run: Run): Promise<readonly FailedSaga[]> => {
  if (run.cancelRequested !== 'no') return [];
  const failed = sagasWithFailure(await reader.steps(run.id));
  if (failed.size === 0) return [];
  const records = await reader.undos(run.id);
  const sagas: FailedSaga[] = [];
  for (const [name, members] of failed) {
    const open = (await takenBack(reader, members, records)).filter(isOpen);
    sagas.push({ name, members, open });
  }
  return sagas;
};

const isOpen = ({ state }: UndoRecord): boolean => state === 'recorded' || state === 'running';

/** Of the steps of failed sagas: how what they did is taken back, or was; the last one first, one record for each step. */
export const takenBack = async (
  reader: Reader,
  members: readonly Step[],
  records: readonly UndoRecord[],
): Promise<readonly UndoRecord[]> => {
  const byAgent = new Map(members.map((step) => [step.agent, step]));
  const found: UndoRecord[] = [];
  for (const record of records.toReversed()) {
    const step = byAgent.get(record.agent);
    if (!step || !isSettled(step.state)) continue;
    if (step.state === 'done' || (await hasDoneSome(reader, record, records))) found.push(record);
  }
  return found;
};

/**
 * Whether a step that came to no good end may have done something all the same. What it did to files is on its branch only,
 * unless that was merged; but what has an undo of its own may have been half done, by any agent that tried.
 */
const hasDoneSome = async (reader: Reader, record: UndoRecord, records: readonly UndoRecord[]): Promise<boolean> => {
  if (record.undo.kind !== 'revert') {
    for (const other of records)
      if (other === record || (other.step === record.step && isOpen(other)))
        if (((await reader.agent(other.agent))?.startedAt ?? null) !== null) return true;
    return false;
  }
  const agent = await reader.agent(record.agent);
  return agent !== undefined && bringsWork(reader, agent, { ...agent, reason: agent.endReason });
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
