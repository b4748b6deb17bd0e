import type { Agent } from '../domain/agent.ts';
import type { Job } from '../domain/job.ts';
import type { Run } from '../domain/run.ts';
import { modelOf } from '../domain/run-of-agent.ts';
import type { Endpoint } from '../inference/port.ts';
import type { Tx } from '../store/port.ts';
import { type Begun, beginTurn } from './begin-turn.ts';
import { closeUnchanged } from './close-job.ts';
import type { Core } from './core.ts';
import { DESK_KINDS } from './desk-job.ts';
import type { Digests } from './digests.ts';
import type { PrefixSharing, Share } from './prefix-sharing.ts';
import type { Server } from './servers.ts';

export interface Claimed {
  readonly job: Job;
  /** Null: a job that asks no inference server. */
  readonly turn: ClaimedTurn | null;
}

export interface ClaimedTurn {
  readonly server: Server;
  readonly endpoint: Endpoint;
  readonly permit: () => void;
  /** The agent's own, which need not be the one that the server was first asked with. */
  model: string | null;
  /** What is to be laid into slots before it starts, and before others are claimed. */
  share: Share | null;
  /** Null: the job opens its turn itself. */
  begun: Begun | null;
}

/** Its time runs from now on, and so does that of joins which wait for it only so long. */
const firstTurn = async (tx: Tx, agent: Agent, now: number): Promise<Pick<Agent, 'startedAt' | 'deadline'>> => {
  if (agent.step) await tx.armJoins(agent.step, now);
  const { timeoutMs = null } = agent;
  return { startedAt: now, ...(timeoutMs === null ? {} : { deadline: now + timeoutMs }) };
};

/** ready → running. */
const startAgent = async (tx: Tx, job: Job, now: number): Promise<{ readonly run: Run; readonly agent: Agent }> => {
  const agent = job.agent && (await tx.agent(job.agent));
  const run = await tx.run(job.run);
  if (!agent || !run) throw new Error('A turn job without its agent or run.');
  const patch = { action: 'thinks', ...(agent.startedAt === null ? await firstTurn(tx, agent, now) : {}) };
  const from = await tx.moveAgent(agent.id, 'running', patch);
  await tx.emit(now, [{ type: 'agent.moved', run: job.run, agent: agent.id, from, to: 'running', reason: null }]);
  return { run, agent: { ...agent, ...patch, state: 'running' } };
};

/** What one transaction claims from. */
export interface ClaimSource {
  readonly servers: readonly Server[];
  /** Jobs at the most. With 1, nothing is begun yet: what is wrong with it is then its own job's to find out. */
  readonly most: number;
  /** Jobs that ask no inference server, at the most. */
  readonly desk: number;
  readonly signal: AbortSignal;
  readonly prefixes: PrefixSharing;
  readonly digests: Digests;
  /** Takes back a permit that was taken to no avail. */
  unused(permit: () => void): void;
}

/**
 * All that can be claimed now, in one transaction; when that fails, every permit is back. What needs nothing but the store
 * is done in it, too.
 */
export const claimAll = async (core: Core, source: ClaimSource): Promise<readonly Claimed[]> => {
  const { store, clock } = core.parts;
  const claimed: Claimed[] = [];
  try {
    await store.transaction(async (tx) => {
      const now = clock.now();
      if (source.signal.aborted) return;
      while (claimed.length < Math.min(source.desk, source.most)) {
        const job = await tx.claim({ kinds: DESK_KINDS, now, hot: [] });
        if (!job) break;
        const isOver = job.kind === 'close' && source.most > 1 && (await closeUnchanged(core, tx, job));
        if (!isOver) claimed.push({ job, turn: null });
      }
      for (const server of source.servers) await claimTurns(core, tx, source, server, now, claimed);
    });
  } catch (error) {
    for (const { turn } of claimed) {
      if (turn) source.unused(turn.permit);
      if (turn?.share) source.prefixes.forget(turn.server.name);
    }
    throw error;
  }
  return claimed;
};

const claimTurns = async (
  core: Core,
  tx: Tx,
  source: ClaimSource,
  server: Server,
  now: number,
  claimed: Claimed[],
): Promise<void> => {
  const { endpoint } = server;
  const { most, prefixes, digests, signal } = source;
  if (!endpoint || server.away > 0) return;
  while (claimed.length < most && !signal.aborted && !prefixes.isSharing(server.name)) {
    const permit = endpoint.tryPermit();
    if (!permit) return;
    const job = await tx.claim({ kinds: ['turn'], now, hot: server.hot, server: server.name });
    if (!job) return source.unused(permit);
    const turn: ClaimedTurn = { server, endpoint, permit, model: server.model, share: null, begun: null };
    claimed.push({ job, turn });
    server.hot = [job.prefix, ...server.hot.filter((prefix) => prefix !== job.prefix)].slice(0, 8);
    const { run, agent } = await startAgent(tx, job, now);
    turn.model = modelOf(run, agent);
    if (most === 1) continue;
    turn.share = await prefixes.plan(tx, server.name, { job, run, agent }, endpoint);
    const facts = endpoint.knownFacts();
    const digest = digests.known(run, agent);
    if (!turn.share && facts && digest !== undefined)
      turn.begun = await beginTurn(core, tx, job, { run, agent, facts, digest });
  }
};
