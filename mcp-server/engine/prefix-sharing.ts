import { systemPrompt } from '../agent/roles.ts';
import { offeredTools, toSpec } from '../agent/tools/tools.ts';
import { messageOf } from '../domain/errors.ts';
import type { NewEvent } from '../domain/event.ts';
import type { Job } from '../domain/job.ts';
import type { ChatRequest, Endpoint, ShareOutcome } from '../inference/port.ts';
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

  /** Called when a turn has been claimed, before its call. Never rejects: without it the turn only takes longer. */
  async before(server: string, job: Job, endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    const recent = this.#recentOf(server);
    const { total } = endpoint.slots();
    const hot = recent.prefixes.filter((prefix) => prefix === job.prefix).length;
    this.#used(recent, job.prefix, 1, total);
    if (recent.sharing || total < 2 || hot * 2 >= total) return;
    recent.sharing = true;
    try {
      await this.#consider(server, recent, job, endpoint, hot, signal);
    } catch (error) {
      this.#core.parts.log(`prefix of ${job.id}: ${messageOf(error)}`);
    } finally {
      recent.sharing = false;
      this.#core.wake();
    }
  }

  async #consider(
    server: string,
    recent: Recent,
    job: Job,
    endpoint: Endpoint,
    hot: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, clock } = this.#core.parts;
    const waiting = await store.queuedBeginners(server, job.prefix);
    if (waiting + 1 < LEAST_SIBLINGS) return;
    const common = await this.#commonPart(job);
    if (!common) return;
    const { total, busy } = endpoint.slots();
    const room = Math.min(total - busy + 1, common.concurrency);
    const copies = copiesToShare({ siblings: waiting + 1, room, hot, tokens: common.tokens });
    if (copies === 0) return;
    const start = clock.now();
    const outcome = await endpoint.share(common.request, copies, signal);
    if (outcome.kind === 'shared') this.#used(recent, job.prefix, outcome.slots - 1, total);
    await this.#report(server, job, outcome, clock.now() - start);
  }

  /** What the claimed agent begins with; null when it has begun already: its own conversation is worth more. */
  async #commonPart(
    job: Job,
  ): Promise<{ request: Pick<ChatRequest, 'messages' | 'tools'>; tokens: number; concurrency: number } | null> {
    const { store } = this.#core.parts;
    const agent = job.agent && (await store.agent(job.agent));
    const run = await store.run(job.run);
    if (!agent || !run || agent.tier === 'planner' || (await store.turns(agent.id)).length > 0) return null;
    const content = systemPrompt({ agent, run });
    const tools = offeredTools({ agent, run }).map(toSpec);
    const bytes = Buffer.byteLength(content) + Buffer.byteLength(JSON.stringify(tools));
    const request = { messages: [{ role: 'system', content } as const], tools };
    return { request, tokens: Math.floor(bytes / BYTES_A_TOKEN), concurrency: run.options.concurrency };
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
      recent = { prefixes: [], sharing: false };
      this.#recent.set(server, recent);
    }
    return recent;
  }

  #used(recent: Recent, prefix: string, times: number, slots: number): void {
    recent.prefixes.unshift(...Array.from({ length: times }, () => prefix));
    recent.prefixes.length = Math.min(recent.prefixes.length, slots);
  }
}
