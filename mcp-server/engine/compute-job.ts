import { cutShort } from '../domain/agent.ts';
import type { Job } from '../domain/job.ts';
import type { Step } from '../domain/plan.ts';
import { type Processed, type ProcessorInput, runProcessor } from '../planning/processors.ts';
import type { Reader } from '../store/port.ts';
import type { Core } from './core.ts';
import { isOver } from './retire.ts';
import { endAgent } from './settle.ts';
import { wordsOf } from './try-again.ts';

/** Runs the processor of a step over the reports of its needs. It asks no model and costs no token. */
export const runComputeJob = async (core: Core, job: Job): Promise<void> => {
  const { store, clock } = core.parts;
  const begun = await store.transaction(async (tx) => {
    const agent = job.agent ? await tx.agent(job.agent) : undefined;
    const run = await tx.run(job.run);
    const step = agent?.step ? await tx.step(agent.step) : undefined;
    if (!agent || !run || !step) throw new Error('A compute job without its rows.');
    if (isOver(agent)) {
      await tx.finishJob(job.id, 'cancelled');
      return null;
    }
    const now = clock.now();
    // After a crash it is running already.
    if (agent.state === 'running') return step;
    const action = step.work?.kind === 'compute' ? `computes ${step.work.processor}` : '';
    const from = await tx.moveAgent(agent.id, 'running', { action, startedAt: agent.startedAt ?? now });
    await tx.armJoins(step.id, now);
    await tx.emit(now, [{ type: 'agent.moved', run: run.id, agent: agent.id, from, to: 'running', reason: null }]);
    return step;
  });
  if (!begun) return;
  const { ok, report } = await compute(core, begun);
  await store.transaction(async (tx) => {
    await tx.finishJob(job.id, 'done');
    const agent = await tx.agent(begun.agent);
    const run = await tx.run(job.run);
    if (!agent || !run || isOver(agent)) return;
    const ending = ok
      ? ({ state: 'completed', reason: 'finished', report, error: null } as const)
      : ({ state: 'failed', reason: 'blocked', report: null, error: report } as const);
    await endAgent(core.parts, tx, run, agent, ending, job.id);
  });
};

const compute = async (core: Core, step: Step): Promise<Processed> => {
  if (step.work?.kind !== 'compute') return { ok: false, report: `Step ${step.key} has no processor.` };
  const { processor, options } = step.work;
  const own = await core.parts.processors?.(processor);
  const inputs = await inputsOf(core.parts.store, step);
  return runProcessor(processor, inputs, options, new Map(own ? [[processor, own]] : []));
};

/** What its needs came to, in their order; those that were omitted, or not waited for, gave nothing. */
const inputsOf = async (reader: Reader, step: Step): Promise<readonly ProcessorInput[]> => {
  const steps = new Map((await reader.steps(step.run)).map((other) => [other.key, other]));
  const inputs: ProcessorInput[] = [];
  for (const key of step.needs) {
    const need = steps.get(key);
    if (!need || need.state === 'omitted') continue;
    const agent = await reader.agent(need.agent);
    const ok = need.state === 'done';
    const cut = agent && cutShort(agent);
    const title = cut ? `${need.title} (incomplete: ${cut})` : need.title;
    inputs.push({ key, title, report: agent ? wordsOf(agent, ok) : '', ok });
  }
  return inputs;
};
