import type { Agent } from '../domain/agent.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import type { Account, LedgerRow } from '../domain/ledger.ts';
import { inboxOf } from '../domain/message.ts';
import type { Run } from '../domain/run.ts';
import { AGENT_STATES, hasEnded, isFinal, isSettled } from '../domain/transitions.ts';
import type { Turn } from '../domain/turn.ts';
import type { Reader } from './port.ts';

/** What must be true of a run after every commit, whatever was killed; one sentence for each thing that is not. */
export const checkInvariants = async (reader: Reader, run: RunId): Promise<string[]> => {
  const found = await reader.run(run);
  if (!found) return [`There is no run ${run}.`];
  const agents = await reader.agents(run);
  const perAgent = await Promise.all(agents.map((agent) => agentFaults(reader, agent)));
  return [
    ...accountFaults(found, await reader.accounts(run)),
    ...ledgerFaults(await reader.accounts(run), await reader.ledger(run)),
    ...(await jobFaults(reader, found)),
    ...(await stepFaults(reader, found, agents)),
    ...perAgent.flat(),
  ];
};

const accountFaults = (run: Run, accounts: readonly Account[]): string[] => {
  const faults: string[] = [];
  const sum = accounts.reduce((total, account) => total + account.available + account.reserved + account.used, 0);
  if (sum !== run.options.budget)
    faults.push(`The accounts hold ${sum} tokens and the grant is ${run.options.budget}.`);
  const ended = hasEnded(run.state);
  for (const { id, available, reserved, used, granted } of accounts) {
    if (Math.min(available, reserved, used, granted) < 0) faults.push(`Account ${id} is below zero.`);
    if (available + reserved + used > granted) faults.push(`Account ${id} holds more than it was granted.`);
    if (ended && reserved > 0) faults.push(`The run has ended and account ${id} still reserves ${reserved}.`);
    if (ended && available > 0 && (id as string) !== run.id)
      faults.push(`The run has ended and account ${id} still holds ${available}.`);
  }
  return faults;
};

/** Each balance is what its rows moved. */
const ledgerFaults = (accounts: readonly Account[], rows: readonly LedgerRow[]): string[] => {
  const pots = new Map<string, number>();
  for (const { from, to, amount } of rows) {
    pots.set(from, (pots.get(from) ?? 0) - amount);
    pots.set(to, (pots.get(to) ?? 0) + amount);
  }
  pots.delete('budget');
  const faults: string[] = [];
  for (const account of accounts)
    for (const part of ['available', 'reserved', 'used'] as const) {
      const pot = `${account.id}:${part}`;
      const moved = pots.get(pot) ?? 0;
      if (moved !== account[part]) faults.push(`${pot} is ${account[part]} and its rows say ${moved}.`);
      pots.delete(pot);
    }
  for (const [pot, moved] of pots) faults.push(`${moved} tokens were moved to ${pot}, which is no account's.`);
  return faults;
};

const jobFaults = async (reader: Reader, run: Run): Promise<string[]> => {
  const running = await reader.jobs({ run: run.id, states: ['running'] });
  const faults: string[] = [];
  const owners = new Set<AgentId | null>();
  if (hasEnded(run.state) && (run.pausedAt ?? null) !== null) faults.push('The run has ended and is paused.');
  for (const job of running) {
    if (hasEnded(run.state)) faults.push(`The run has ended and job ${job.id} is still running.`);
    if (owners.has(job.agent)) faults.push(`${job.agent ?? 'The run'} has two running jobs.`);
    owners.add(job.agent);
  }
  return faults;
};

/** Every step is accounted for, and what is to be undone was written down and came to an end. */
const stepFaults = async (reader: Reader, run: Run, agents: readonly Agent[]): Promise<string[]> => {
  const faults: string[] = [];
  const byId = new Map(agents.map((agent) => [agent.id, agent]));
  const ended = hasEnded(run.state);
  if (ended !== (run.endedAt !== null)) faults.push(`The run is ${run.state} and its end is ${run.endedAt}.`);
  for (const step of await reader.steps(run.id)) {
    const agent = byId.get(step.agent);
    if (!agent || agent.step !== step.id) faults.push(`Step ${step.key} has no agent of its own.`);
    if (ended && !isSettled(step.state)) faults.push(`The run has ended and step ${step.key} is ${step.state}.`);
    if (step.state === 'done' && agent && agent.state !== 'completed')
      faults.push(`Step ${step.key} is done and its agent is ${agent.state}.`);
    if (step.state === 'pending' && agent && agent.state !== 'pending')
      faults.push(`Step ${step.key} is pending and its agent is ${agent.state}.`);
  }
  for (const agent of agents)
    if (ended && !isFinal(AGENT_STATES, agent.state))
      faults.push(`The run has ended and ${agent.id} is ${agent.state}.`);
  const undos = await reader.undos(run.id);
  for (const { agent, state } of undos)
    if (ended && state === 'running') faults.push(`The run has ended and what ${agent} did is still being undone.`);
  return faults;
};

const agentFaults = async (reader: Reader, agent: Agent): Promise<string[]> => {
  const faults: string[] = [];
  const turns = await reader.turns(agent.id);
  turns.forEach(({ id, seq }, index) => {
    if (seq !== index + 1) faults.push(`Turn ${id} of ${agent.id} is number ${seq} and stands in place ${index + 1}.`);
  });
  const open = turns.filter((turn) => turn.state === 'calling' || turn.state === 'answered');
  if (open.length > 1) faults.push(`Agent ${agent.id} has ${open.length} open turns.`);
  faults.push(...(await pauseFaults(reader, agent, open)), ...(await inboxFaults(reader, agent)));
  const delivered = await reader.delivered(agent.id);
  const waiting = await reader.inbox(agent.id, Number.MAX_SAFE_INTEGER);
  const known = new Set(turns.map((turn) => turn.id));
  const seen = new Set<string>();
  for (const message of [...delivered, ...waiting]) {
    if (seen.has(message.id)) faults.push(`Message ${message.id} to ${agent.id} was delivered twice.`);
    seen.add(message.id);
  }
  for (const { id, to, turn } of delivered) {
    if (to !== agent.id) faults.push(`Message ${id} to ${to} was delivered to ${agent.id}.`);
    if (turn === null || !known.has(turn)) faults.push(`Message ${id} was delivered into no turn of ${agent.id}.`);
  }
  return faults;
};

/** Whoever is to pause does so between two turns, and then nothing is there that could be claimed. */
const pauseFaults = async (reader: Reader, agent: Agent, open: readonly Turn[]): Promise<string[]> => {
  const { id, run, state, pause = null, pausedAt = null } = agent;
  const faults: string[] = [];
  if ((state === 'paused') !== (pausedAt !== null))
    faults.push(`Agent ${id} is ${state} and paused since ${pausedAt}.`);
  if (state === 'paused' && pause === null) faults.push(`Agent ${id} is paused and nobody wants it.`);
  if (pause !== null && (state === 'ready' || state === 'waiting'))
    faults.push(`Agent ${id} is to pause and is ${state}.`);
  if (pause !== null && isFinal(AGENT_STATES, state)) faults.push(`Agent ${id} is ${state} and is to pause.`);
  if (state !== 'paused') return faults;
  if (open.some((turn) => turn.state === 'calling')) faults.push(`Agent ${id} is paused during a call.`);
  for (const job of await reader.jobs({ run, states: ['queued', 'running', 'parked'] }))
    if (job.agent === id && (job.kind === 'turn' || job.kind === 'compute'))
      faults.push(`Agent ${id} is paused and its job ${job.id} is ${job.state}.`);
  return faults;
};

/** Nobody waits for an inbox that has room, or that nobody reads any more. */
const inboxFaults = async (reader: Reader, { id, state }: Agent): Promise<string[]> => {
  const [first] = await reader.callsWaitingFor(inboxOf(id), 1);
  if (!first) return [];
  if (isFinal(AGENT_STATES, state)) return [`${first.owner} waits for the inbox of ${id}, which is ${state}.`];
  return (await reader.inboxRoom(id)) > 0 ? [`${first.owner} waits for the inbox of ${id}, which has room.`] : [];
};
