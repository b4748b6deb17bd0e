import type { Agent } from '../domain/agent.ts';
import type { JobId, Makes } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import type { Tx } from '../store/port.ts';
import { isOver } from './retire.ts';
import { releaseAgent } from './spawn.ts';

/** Work that was merged into a waiting agent may be the last that its own start waited for. */
export const releaseAfterMerge = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  into: Agent,
  current?: JobId,
): Promise<void> => {
  if (into.state !== 'pending' || !into.step) return;
  const step = await tx.step(into.step);
  if (step?.state !== 'running') return;
  const open = await tx.jobs({ run: run.id, states: ['queued', 'running', 'parked'] });
  if (open.some((job) => job.kind === 'merge' && job.agent === into.id && job.id !== current)) return;
  // What a resolver joins is still to come.
  if ((await tx.children(into.id)).some((one) => one.role === 'resolver' && !isOver(one))) return;
  await releaseAgent(makes, tx, run, step, into);
};

/** An agent that was to start from both sides starts without the one that could not be joined. */
export const releaseParent = async (makes: Makes, tx: Tx, run: Run, resolver: Agent): Promise<void> => {
  const parent = resolver.parent ? await tx.agent(resolver.parent) : undefined;
  if (parent) await releaseAfterMerge(makes, tx, run, parent);
};
