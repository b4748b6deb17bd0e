import type { Agent } from '../domain/agent.ts';
import type { AccountId, AgentId } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import { keptBack } from '../planning/share-budget.ts';
import type { Tx } from '../store/port.ts';

interface Spare {
  readonly from: AccountId;
  readonly tokens: number;
}

/**
 * Gives the agent of a planned step that runs out of tokens what the plan gave to others and they did not need: what has
 * come back to those who wait to join work, of its own part first, then to the run. Never what a joiner needs itself or
 * what is kept back for fresh tries and conflicts; no more than half of what there is unless it needs more, since others
 * may run out as well; nothing when that is too little to go on with. Returns the tokens that it got.
 */
export const drawSpare = async (
  tx: Tx,
  run: Run,
  agent: Agent,
  { least, most }: { readonly least: number; readonly most: number },
  now: number,
): Promise<number> => {
  const step = agent.step === null ? undefined : await tx.step(agent.step);
  if (!step || step.agent !== agent.id || step.subPlan || run.cancelRequested !== 'no') return 0;
  const spares = await sparesFor(tx, run, agent);
  const there = spares.reduce((sum, { tokens }) => sum + tokens, 0);
  if (there < least) return 0;
  const drawn = Math.max(least, Math.min(most, Math.floor(there / 2)));
  let left = drawn;
  for (const { from, tokens } of spares) {
    const part = Math.min(left, tokens);
    if (part < 1 || !(await tx.grant(from, agent.id, part, now))) continue;
    left -= part;
  }
  const tokens = drawn - left;
  await tx.emit(now, [{ type: 'budget.granted', run: run.id, agent: agent.id, to: agent.id, tokens }]);
  return tokens;
};

/** The nearest joiner above first, the run last. */
const sparesFor = async (tx: Tx, run: Run, agent: Agent): Promise<readonly Spare[]> => {
  const agents = new Map((await tx.agents(run.id)).map((one) => [one.id, one]));
  const weights = await weightsBelow(tx, run, agents);
  const above: AgentId[] = [];
  for (let id = agent.parent; id !== null; id = agents.get(id)?.parent ?? null) above.push(id);
  const spares: Spare[] = [];
  for (const id of new Set([...above, ...weights.keys()])) {
    const account = agents.get(id)?.state === 'pending' ? await tx.account(id) : undefined;
    const weight = weights.get(id);
    if (!account || !weight || weight.own === weight.subtree) continue;
    const own = Math.ceil((account.granted * weight.own) / weight.subtree);
    spares.push({ from: id, tokens: Math.max(0, account.available - own) });
  }
  // What a plan leaves to the run because its author said so is not for its agents.
  const isBound = (await tx.plan(run.id))?.budget !== undefined;
  const pool = isBound ? 0 : ((await tx.account(run.id))?.available ?? 0) - keptBack(run.options.budget);
  return [...spares, { from: run.id, tokens: Math.max(0, pool) }];
};

/** What a job says that was put back because of it. */
export const WAITS_FOR_TOKENS = 'It waits for tokens that others may not need.';

/**
 * Whether anything goes on in the run after which tokens may come back, if only over those who join it. Who only waits
 * for tokens itself does not count, so that they cannot all wait for one another; nor does who is paused.
 */
export const othersMayLeave = async (tx: Tx, run: Run, agent: Agent): Promise<boolean> => {
  const step = agent.step === null ? undefined : await tx.step(agent.step);
  if (!step || step.agent !== agent.id || step.subPlan || run.cancelRequested !== 'no') return false;
  for (const job of await tx.jobs({ run: run.id, states: ['queued', 'running'] })) {
    if (job.agent === agent.id || job.kind === 'close') continue;
    if (job.agent === null) return true;
    if (((await tx.agent(job.agent))?.pausedAt ?? null) !== null) continue;
    if (job.error !== WAITS_FOR_TOKENS || (await tx.openTurn(job.agent))) return true;
  }
  return false;
};

interface Weights {
  own: number;
  subtree: number;
}

/** Of each agent's step, and of all steps of the plan whose agents hang from it, itself included. */
const weightsBelow = async (
  tx: Tx,
  run: Run,
  agents: ReadonlyMap<AgentId, Agent>,
): Promise<ReadonlyMap<AgentId, Weights>> => {
  const found = new Map<AgentId, Weights>();
  for (const { agent, weight, subPlan } of await tx.steps(run.id)) {
    if (subPlan) continue;
    for (let id: AgentId | null = agent; id !== null; id = agents.get(id)?.parent ?? null) {
      const weights = found.get(id) ?? { own: 0, subtree: 0 };
      if (id === agent) weights.own = weight;
      weights.subtree += weight;
      found.set(id, weights);
    }
  }
  return found;
};
