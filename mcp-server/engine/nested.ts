import type { Effect } from '../agent/tool.ts';
import type { Agent } from '../domain/agent.ts';
import type { AgentId, JobId, Makes } from '../domain/ids.ts';
import type { Plan, Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import { isSettled } from '../domain/transitions.ts';
import type { Turn } from '../domain/turn.ts';
import type { Reader, Tx } from '../store/port.ts';
import { pauseIfAsked } from './pausing.ts';
import { type Ending, isOver, retire } from './retire.ts';
import { isEnding, levelsOf, noRoom, ownReport } from './room.ts';
import { askToStop, endAgent } from './settle.ts';
import { asAgent, createdEvent, newAgent, turnJob } from './spawn.ts';
import type { Started } from './split.ts';
import { addSubPlan } from './sub-plan.ts';
import { reportsOf, stepsOf } from './sub-plan-results.ts';

/** Fewer tokens do not buy a plan and one agent. */
const LEAST_TOKENS = 4000;
/** Steps that a status names. */
const MOST_LINES = 40;

const no = (reason: string): Started => ({ ok: false, reason });

/** A planner begins below the agent, with tokens out of the agent's account; what it plans is added below the agent. */
export const startNestedRun = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  agent: Agent,
  turn: Turn,
  effect: Extract<Effect, { kind: 'orchestrate' }>,
): Promise<Started> => {
  if (isEnding(run, agent)) return no('The run is being ended: no new agents.');
  // The planner, and one who does the work.
  const crowded = await noRoom(tx, run, agent, [2]);
  if (crowded !== null) return no(crowded);
  const available = (await tx.account(agent.id))?.available ?? 0;
  const most = available - ownReport(turn, available);
  const tokens = effect.tokens ?? Math.min(most, Math.floor(available / 2));
  if (tokens > most)
    return no(
      `You have ${available} tokens left and cannot grant ${tokens}: ${available - most} are kept for your own report. Ask for ${most} at the most, or do it yourself.`,
    );
  if (tokens < LEAST_TOKENS)
    return no(
      `${tokens} tokens cannot pay for a plan and its agents: ${LEAST_TOKENS} are the least, and you have ${available}. Grant more, or do it yourself.`,
    );
  return { ok: true, id: await insertPlanner(makes, tx, run, agent, effect.task, tokens) };
};

const insertPlanner = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  caller: Agent,
  task: string,
  tokens: number,
): Promise<AgentId> => {
  const now = makes.clock.now();
  const spec = {
    parent: caller,
    tier: 'planner',
    role: 'planner',
    name: `plan: ${oneLine(task, 50)}`,
    task,
    temperature: 0.3,
    step: null,
    start: caller.headCommit ?? run.headCommit,
    server: caller.server ?? null,
    model: caller.model ?? null,
  } as const;
  const planner = newAgent(makes, run, spec, 'ready');
  await tx.insertAgents([planner]);
  await tx.grant(caller.id, planner.id, tokens, now);
  await tx.enqueue([turnJob(makes, run, asAgent(planner))], now);
  await tx.emit(now, [
    createdEvent(planner),
    { type: 'budget.granted', run: run.id, agent: planner.id, to: planner.id, tokens },
  ]);
  await pauseIfAsked(makes, tx, planner.id);
  return planner.id;
};

const CANCELLED: Ending = { state: 'cancelled', reason: 'cancelled', report: null, error: null };

/**
 * The planner below an agent ends, and its plan is added below that agent with what is left of the planner's tokens; or it
 * cannot be, and the agent is told why. `job`: the one in hand.
 */
export const adoptSubPlan = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  planner: Agent,
  plan: Plan,
  ending: Ending,
  job: JobId,
): Promise<void> => {
  const caller = planner.parent ? await tx.agent(planner.parent) : undefined;
  if (!caller || isOver(caller) || isEnding(run, caller) || planner.wrapUp)
    return endAgent(makes, tx, run, planner, CANCELLED, job);
  const crowded = await noRoom(tx, run, caller, levelsOf(plan.steps));
  if (crowded !== null)
    return endAgent(makes, tx, run, planner, { ...ending, state: 'failed', reason: 'blocked', error: crowded }, job);
  const tokens = (await tx.account(planner.id))?.available ?? 0;
  await retire(makes, tx, run, planner, ending);
  await addSubPlan(makes, tx, run, caller, plan, { by: 'nested-run', id: planner.id, tokens });
};

/** The agent's own, the newest first. */
const nestedRunsOf = async (reader: Reader, agent: Agent): Promise<readonly Agent[]> =>
  (await reader.children(agent.id)).filter(({ tier }) => tier === 'planner').toReversed();

/** A nested run as its rows tell it. */
interface Look {
  readonly planner: Agent;
  readonly steps: readonly Step[];
  readonly ended: boolean;
}

const lookAt = async (reader: Reader, planner: Agent): Promise<Look> => {
  const steps = await stepsOf(reader, planner.run, planner);
  return { planner, steps, ended: isOver(planner) && steps.every(({ state }) => isSettled(state)) };
};

/** Those of the agent that still go on, the newest first. */
export const openNestedRuns = async (reader: Reader, agent: Agent): Promise<readonly Agent[]> => {
  const open: Agent[] = [];
  for (const planner of await nestedRunsOf(reader, agent))
    if (!(await lookAt(reader, planner)).ended) open.push(planner);
  return open;
};

/** The one that is meant; a text says why there is none. */
export const findNestedRun = async (tx: Tx, agent: Agent, id: string | null): Promise<Look | string> => {
  const all = await nestedRunsOf(tx, agent);
  const found = id === null ? all[0] : all.find((planner) => planner.id === id);
  if (found) return lookAt(tx, found);
  if (all.length === 0) return 'You have started no nested run.';
  return `You have no nested run ${id}. Yours: ${all.map((planner) => planner.id).join(', ')}.`;
};

/** State, agents, tokens and reports so far, for the agent that asks. */
export const nestedRunStatus = async (tx: Tx, { planner, steps, ended }: Look): Promise<string> => {
  const agents = [planner, ...(await agentsOf(tx, planner, steps))];
  const over = agents.filter(isOver);
  const failed = agents.filter(({ state }) => state === 'failed').length;
  let used = 0;
  for (const { id } of agents) used += (await tx.account(id))?.used ?? 0;
  const state = ended ? 'It has ended' : steps.length === 0 ? 'It is being planned' : 'It works';
  const lines = steps.slice(0, MOST_LINES).map(({ title, state: at }) => `- ${title}: ${at}`);
  const why = steps.length === 0 && planner.error ? [planner.error] : [];
  return [
    `Nested run ${planner.id}: ${state}. Agents: ${over.length} of ${agents.length} have ended, ${failed} failed. Tokens: ${used} used of ${await grantedTo(tx, planner)}.`,
    ...why,
    ...(lines.length > 0 ? [lines.join('\n')] : []),
    ...(await reportsOf(tx, steps, planner.parent ?? planner.id)),
  ].join('\n\n');
};

/** What the caller has granted; what was not needed for the plan has gone back and down to the agents since. */
const grantedTo = async (tx: Tx, { id, run }: Agent): Promise<number> =>
  (await tx.ledger(run))
    .filter(({ kind, to }) => kind === 'grant' && to.startsWith(`${id}:`))
    .reduce((sum, { amount }) => sum + amount, 0);

/** Who works on the steps, and whom they have made, in order of creation; earlier tries as well. */
const agentsOf = async (tx: Tx, planner: Agent, steps: readonly Step[]): Promise<readonly Agent[]> => {
  const own = new Set(steps.map(({ id }) => id));
  const inside = new Set<AgentId>();
  const found: Agent[] = [];
  for (const agent of await tx.agents(planner.run)) {
    if (!(agent.step && own.has(agent.step)) && !(agent.parent && inside.has(agent.parent))) continue;
    inside.add(agent.id);
    found.push(agent);
  }
  return found;
};

/** Whoever has begun gets a last turn to report; the rest never starts. Returns how many are asked to stop. */
export const stopNestedRun = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  { planner, steps }: Look,
  job: JobId,
): Promise<number> => {
  const open = [planner, ...(await agentsOf(tx, planner, steps))].filter((agent) => !isOver(agent));
  for (const agent of open.toReversed()) {
    // A planner has no last turn: it is not asked again.
    if (agent.tier === 'planner' && (agent.state === 'ready' || agent.state === 'paused')) {
      const fresh = await tx.agent(agent.id);
      if (fresh && !isOver(fresh)) await endAgent(makes, tx, run, fresh, CANCELLED, job);
    } else await askToStop(makes, tx, run, agent.id, 'caller', job);
  }
  return open.length;
};

/** Ends what an agent that has come to its end leaves going on. */
export const stopOpen = async (makes: Makes, tx: Tx, run: Run, agent: Agent, job: JobId): Promise<void> => {
  for (const planner of await openNestedRuns(tx, agent))
    await stopNestedRun(makes, tx, run, await lookAt(tx, planner), job);
};
