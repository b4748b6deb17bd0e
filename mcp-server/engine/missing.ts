import type { Agent } from '../domain/agent.ts';
import { type Makes, newId } from '../domain/ids.ts';
import type { Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import { isSettled } from '../domain/transitions.ts';
import type { Reader, Tx } from '../store/port.ts';

/** Why there is nothing of a step, in a few words; null when there is, or when it was not to be. */
export const whyMissing = (step: Pick<Step, 'state'>, agent: Agent | undefined): string | null => {
  if (step.state === 'done' || step.state === 'omitted') return null;
  if (!isSettled(step.state)) return 'it was not waited for';
  if (agent?.endReason === 'needs-failed' || step.state === 'skipped') return 'it did not begin';
  const error = agent?.error ? `: ${oneLine(agent.error, 160)}` : '';
  return `it failed (${agent?.endReason ?? 'unknown'})${error}`;
};

/** What a step that starts does not get, each with its reason. */
export const missingFor = async (reader: Reader, needs: readonly Step[]): Promise<readonly string[]> => {
  const lines: string[] = [];
  for (const need of needs) {
    if (need.state === 'done' || need.state === 'omitted') continue;
    const why = whyMissing(need, await reader.agent(need.agent));
    if (why !== null) lines.push(`"${oneLine(need.title, 60)}": ${why}`);
  }
  return lines;
};

/** Whoever joins parts of which some are missing is told which and why, and that it must say so. */
export const tellMissing = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  step: Step,
  needs: readonly Step[],
): Promise<void> => {
  if (step.work?.kind === 'compute') return;
  const missing = await missingFor(tx, needs);
  if (missing.length === 0) return;
  const list = missing.map((line) => `- ${line}`).join('\n');
  await notify(
    makes,
    tx,
    run,
    step.agent,
    `Not all that you need is there. Missing:\n${list}\nWork with what there is, and name in your report exactly what is missing.`,
  );
};

/** Something that the engine tells an agent. */
export const notify = async (makes: Makes, tx: Tx, run: Run, to: Agent['id'], body: string): Promise<void> => {
  const createdAt = makes.clock.now();
  const id = newId('message', makes);
  await tx.send({ id, run: run.id, to, from: 'engine', kind: 'notice', priority: 0, body, createdAt });
};
