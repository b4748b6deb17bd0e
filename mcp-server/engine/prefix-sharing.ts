import { systemPrompt } from '../agent/roles.ts';
import { offeredTools, toSpec } from '../agent/tools/tools.ts';
import type { Agent } from '../domain/agent.ts';
import { messageOf } from '../domain/errors.ts';
import type { NewEvent } from '../domain/event.ts';
import type { Job } from '../domain/job.ts';
import type { Run } from '../domain/run.ts';
import type { ChatRequest, Endpoint, ShareOutcome } from '../inference/port.ts';
import type { Reader } from '../store/port.ts';
import type { Core } from './core.ts';

/** What is known of a fan-out when the first of its turns has been claimed. */
export interface FanOut {
  /** Turns that begin with the prefix and nothing else before it: the claimed one and those that wait. */
  readonly siblings: number;
  /** How many of them can run at once. */
  readonly room: number;
  /** Slots that the last calls with this prefix have used. */
  readonly hot: number;
  /** Tokens of the prefix, roughly. */
  readonly tokens: number;
}

const LEAST_SIBLINGS = 3;
/** A shorter prefix is evaluated quicker than it is laid into slots. */
const LEAST_TOKENS = 512;
const BYTES_A_TOKEN = 4;

/** Slots that should hold the prefix before its turns start; 0: let them start. */
export const copiesToShare = ({ siblings, room, hot, tokens }: FanOut): number => {
  if (siblings < LEAST_SIBLINGS || tokens < LEAST_TOKENS) return 0;
  const together = Math.min(siblings, room);
  return together > 1 && hot * 2 < together ? together : 0;
};

/** Prefixes of the last calls of one server, newest first, as many as it has slots: about what its slots hold. */
interface Recent {
  readonly prefixes: string[];
  sharing: boolean;
  /** The server has said that it cannot. */
  unsupported: boolean;
}

/** What is laid into how many slots. */
export interface Share {
  readonly request: Pick<ChatRequest, 'messages' | 'tools'>;
  readonly copies: number;
}

/** A turn that was just claimed. */
interface Claimed {
  readonly job: Job;
  readonly run: Run;
  readonly agent: Agent;
}

/**
 * Lays the common prefix of many agents that are about to start into idle slots, before they start. Where a server
 * cannot do that they simply start: letting one go first was measured to gain nothing, since busy slots do not share.
 */
export class PrefixSharing {
  readonly #core: Core;
  readonly #recent = new Map<string, Recent>();
  /** What has been said, so that it is said once. */
  readonly #said = new Set<string>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** While this is true no other turn should be claimed for the server: it would start without the prefix. */
  isSharing(server: string): boolean {
    return this.#recent.get(server)?.sharing === true;
  }

  /** The server may be another one from now on. */
  forget(server: string): void {
    this.#recent.delete(server);
  }

  /**
   * Called in the transaction that claims a turn. Not null: `share` must be called before the turn's call, and until that
   * is over the server is sharing.
   */
  async plan(tx: Reader, server: string, claimed: Claimed, endpoint: Endpoint): Promise<Share | null> {
    const { prefix } = claimed.job;
    const recent = this.#recentOf(server);
    const { total, busy } = endpoint.slots();
    const hot = recent.prefixes.filter((other) => other === prefix).length;
    this.#used(recent, prefix, 1, total);
    if (recent.sharing || recent.unsupported || total < 2 || hot * 2 >= total) return null;
    const siblings = 1 + (await tx.queuedBeginners(server, prefix));
    if (siblings < LEAST_SIBLINGS) return null;
    const common = await commonPart(tx, claimed);
    if (!common) return null;
    const room = Math.min(total - busy + 1, claimed.run.options.concurrency);
    const copies = copiesToShare({ siblings, room, hot, tokens: common.tokens });
    if (copies === 0) return null;
    recent.sharing = true;
    return { request: common.request, copies };
  }

  /** Never rejects: without it the turns only take longer. */
  async share(
    server: string,
    job: Job,
    { request, copies }: Share,
    endpoint: Endpoint,
    signal: AbortSignal,
  ): Promise<void> {
    const recent = this.#recentOf(server);
    const { clock, log } = this.#core.parts;
    const start = clock.now();
    try {
      const outcome = await endpoint.share(request, copies, signal);
      recent.unsupported = outcome.kind === 'unsupported';
      if (outcome.kind === 'shared') this.#used(recent, job.prefix, outcome.slots - 1, endpoint.slots().total);
      await this.#report(server, job, outcome, clock.now() - start);
    } catch (error) {
      log(`prefix of ${job.id}: ${messageOf(error)}`);
    } finally {
      recent.sharing = false;
      this.#core.wake();
    }
  }

  async #report(server: string, job: Job, outcome: ShareOutcome, ms: number): Promise<void> {
    const { store, clock, log } = this.#core.parts;
    const about = { run: job.run, agent: null } as const;
    const emit = (event: NewEvent): Promise<void> => store.transaction((tx) => tx.emit(clock.now(), [event]));
    switch (outcome.kind) {
      case 'shared': {
        const { tokens, slots, evaluated } = outcome;
        return emit({ type: 'prefix.shared', ...about, server, tokens, slots, evaluated, ms });
      }
      case 'unsupported': {
        const said = `${server}\n${outcome.reason}`;
        if (this.#said.has(said)) return;
        this.#said.add(said);
        return emit({ type: 'prefix.unsupported', ...about, server, reason: outcome.reason });
      }
      case 'failed':
        log(`prefix of ${job.id} on ${server}: ${outcome.reason}`);
    }
  }

  #recentOf(server: string): Recent {
    let recent = this.#recent.get(server);
    if (!recent) {
      recent = { prefixes: [], sharing: false, unsupported: false };
      this.#recent.set(server, recent);
    }
    return recent;
  }

  #used(recent: Recent, prefix: string, times: number, slots: number): void {
    recent.prefixes.unshift(...Array.from({ length: times }, () => prefix));
    recent.prefixes.length = Math.min(recent.prefixes.length, slots);
  }
}

/** What the claimed agent begins with; null when it has begun already: its own conversation is worth more. */
const commonPart = async (
  tx: Reader,
  { run, agent }: Claimed,
): Promise<{ request: Pick<ChatRequest, 'messages' | 'tools'>; tokens: number } | null> => {
  if (agent.tier === 'planner' || (await tx.turns(agent.id)).length > 0) return null;
  const content = systemPrompt({ agent, run });
  const tools = offeredTools({ agent, run }).map(toSpec);
  const bytes = Buffer.byteLength(content) + Buffer.byteLength(JSON.stringify(tools));
  return { request: { messages: [{ role: 'system', content }], tools }, tokens: Math.floor(bytes / BYTES_A_TOKEN) };
};
