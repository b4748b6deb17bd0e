import { createHash } from 'node:crypto';
import { messageOf } from '../domain/errors.ts';
import type { Usage } from '../domain/turn.ts';
import type { ChatChunk } from './answer-builder.ts';
import { toBody } from './body.ts';
import type { ChatOutcome, ChatRequest, ShareOutcome } from './port.ts';
import { ActionFailed, type ServerSlot, type SlotActions } from './slot-actions.ts';

/** What all requests of some agents have in common. */
export type CommonPart = Pick<ChatRequest, 'messages' | 'tools'>;

export interface SharingPlace {
  readonly actions: SlotActions;
  /** The model's name, and whether the server speaks llama-server's dialect; both as known now. */
  readonly model: () => string;
  readonly isLlamaServer: () => boolean;
  /** A permit that is free at once. */
  readonly tryPermit: () => (() => void) | null;
  /** One plain completion under the caller's permit. */
  readonly complete: (body: object, onChunk: (chunk: ChatChunk) => void, signal: AbortSignal) => Promise<ChatOutcome>;
}

/** Below this share of its tokens a prefix does not count as found again. */
const FOUND = 0.9;
/** Failures in a row after which it is not tried again. */
const MOST_FAILURES = 3;
/** Prefixes whose tokens are remembered. */
const REMEMBERED = 16;
const LOST_AGAIN =
  'A prefix that was laid into idle slots was not found there again: the slots share one KV cache, or the model cannot go back in its cache.';

/** Whether the calls that come after it find a shared prefix in the cache. */
interface Watch {
  readonly key: string;
  readonly tokens: number;
  left: number;
  missed: number;
  found: number;
}

/**
 * Lays a common prefix into several idle slots of one server: it is evaluated in one of them, saved to a file of the
 * server and restored into the others. Remembers why this server cannot do that, until `reset`.
 */
export class PrefixSharing {
  readonly #place: SharingPlace;
  readonly #tokens = new Map<string, readonly number[]>();
  readonly #saved = new Set<string>();
  #supported = false;
  #unsupported: string | null = null;
  #busy = false;
  #failures = 0;
  #watch: Watch | null = null;
  /** The highest request number that the server has shown: a lower one means that it was started anew. */
  #newestTask = -1;

  constructor(place: SharingPlace) {
    this.#place = place;
  }

  /** The server may be another one from now on. */
  reset(): void {
    this.#supported = false;
    this.#unsupported = null;
    this.#failures = 0;
    this.#watch = null;
    this.#saved.clear();
    this.#tokens.clear();
  }

  /** Never rejects. */
  async share(common: CommonPart, copies: number, signal: AbortSignal): Promise<ShareOutcome> {
    if (this.#unsupported !== null) return { kind: 'unsupported', reason: this.#unsupported };
    if (!this.#place.isLlamaServer()) return this.#never('The model server is no llama-server.');
    if (this.#busy) return { kind: 'failed', reason: 'Another prefix is being shared.' };
    this.#busy = true;
    const permits = this.#permits(copies - 1);
    try {
      if (permits.length === 0) return { kind: 'failed', reason: 'No other slot is free.' };
      const outcome = await this.#lay(common, permits.length + 1, signal);
      this.#failures = 0;
      return outcome;
    } catch (error) {
      return this.#gaveUp(messageOf(error), error instanceof ActionFailed && error.never, signal);
    } finally {
      this.#busy = false;
      for (const release of permits) release();
    }
  }

  /** Learns from a call's usage whether sharing did what it is for. */
  observe(request: CommonPart, usage: Usage): void {
    const watch = this.#watch;
    if (!watch || this.#keyOf(request) !== watch.key) return;
    watch.left -= 1;
    if (usage.cached >= watch.tokens * FOUND) watch.found += 1;
    else watch.missed += 1;
    if (watch.left > 0) return;
    this.#watch = null;
    if (watch.missed > Math.max(1, watch.found)) this.#never(LOST_AGAIN);
  }

  #never(reason: string): ShareOutcome {
    this.#unsupported = reason;
    return { kind: 'unsupported', reason };
  }

  #gaveUp(reason: string, never: boolean, signal: AbortSignal): ShareOutcome {
    if (!signal.aborted) this.#failures += 1;
    return never || this.#failures >= MOST_FAILURES ? this.#never(reason) : { kind: 'failed', reason };
  }

  #permits(most: number): (() => void)[] {
    const permits: (() => void)[] = [];
    while (permits.length < most) {
      const permit = this.#place.tryPermit();
      if (!permit) break;
      permits.push(permit);
    }
    return permits;
  }

  async #lay(common: CommonPart, copies: number, signal: AbortSignal): Promise<ShareOutcome> {
    const { actions } = this.#place;
    if (!this.#supported) await actions.assertSupported(signal);
    this.#supported = true;
    const key = this.#keyOf(common);
    const file = `coppice-${key}.bin`;
    const tokens = await this.#prefix(key, common, signal);
    let idle = await this.#idleSlots(signal);
    const used = this.#saved.has(key) ? await this.#useAgain(file, tokens.length, idle, signal) : null;
    const first = used ?? (await this.#warm(tokens, signal));
    if (used === null) {
      if ((await actions.save(first.slot, file, signal)) !== tokens.length)
        throw new ActionFailed('Another call has taken the slot that held the prefix.', false);
      this.#saved.add(key);
      idle = await this.#idleSlots(signal);
    }
    const others = idle.filter((slot) => slot.id !== first.slot).slice(0, copies - 1);
    const slots = 1 + (await this.#restoreAll(file, tokens.length, others, signal));
    this.#watch = { key, tokens: tokens.length, left: slots, missed: 0, found: 0 };
    return { kind: 'shared', slots, tokens: tokens.length, evaluated: first.evaluated };
  }

  /** What two requests begin with that differ from their first user's word on, in whole tokens. */
  async #prefix(key: string, common: CommonPart, signal: AbortSignal): Promise<readonly number[]> {
    const known = this.#tokens.get(key);
    if (known) return known;
    const { actions } = this.#place;
    const render = (word: string): Promise<string> => actions.applyTemplate(this.#bodyOf(common, word), signal);
    const [one, other] = [await render('A'), await render('B')];
    let shared = 0;
    while (shared < one.length && one[shared] === other[shared]) shared += 1;
    const tokens = await actions.tokenize(one.slice(0, shared), signal);
    if (tokens.length === 0) throw new ActionFailed('The requests begin with nothing in common.', true);
    if (this.#tokens.size >= REMEMBERED) this.#tokens.clear();
    this.#tokens.set(key, tokens);
    return tokens;
  }

  #bodyOf(common: CommonPart, word: string): object {
    const system = common.messages.filter((message) => message.role === 'system');
    const messages = [...system, { role: 'user', content: word } as const];
    const { messages: wire, tools } = toBody({ messages, tools: common.tools, maxTokens: 1, temperature: 0 }, '');
    return { messages: wire, ...(tools === undefined ? {} : { tools }) };
  }

  #keyOf(common: CommonPart): string {
    const text = JSON.stringify([this.#place.model(), this.#bodyOf(common, '')]);
    return createHash('sha256').update(text).digest('hex').slice(0, 32);
  }

  /** Those that were used longest ago come first. */
  async #idleSlots(signal: AbortSignal): Promise<readonly ServerSlot[]> {
    const slots = await this.#place.actions.slots(signal);
    const newest = Math.max(-1, ...slots.map((slot) => slot.task ?? -1));
    if (newest < this.#newestTask) this.#saved.clear();
    this.#newestTask = newest;
    return slots.filter((slot) => !slot.busy).sort((a, b) => (a.task ?? -1) - (b.task ?? -1));
  }

  /** Restores a file of earlier into the first idle slot; null when that does not hold the prefix afterwards. */
  async #useAgain(
    file: string,
    tokens: number,
    idle: readonly ServerSlot[],
    signal: AbortSignal,
  ): Promise<{ readonly slot: number; readonly evaluated: number } | null> {
    const slot = idle[0];
    if (!slot) return null;
    const restored = await this.#place.actions.restore(slot.id, file, signal);
    return restored === tokens ? { slot: slot.id, evaluated: 0 } : null;
  }

  /** One token is asked for: the slot then holds the prefix and nothing else, which any model can go on from. */
  async #warm(
    tokens: readonly number[],
    signal: AbortSignal,
  ): Promise<{ readonly slot: number; readonly evaluated: number }> {
    let slot: number | null = null;
    const details = { verbose: true, cache_prompt: true, return_progress: true };
    const body = { prompt: tokens, max_tokens: 1, temperature: 0, stream: true, ...details };
    const outcome = await this.#place.complete(
      body,
      (chunk) => {
        slot = chunk.__verbose?.id_slot ?? slot;
      },
      signal,
    );
    if (outcome.kind === 'failed') throw new ActionFailed(outcome.message, false);
    if (outcome.kind === 'aborted') throw new ActionFailed('It was stopped.', false);
    if (slot === null || slot < 0) throw new ActionFailed('The server does not say which slot it used.', true);
    return { slot, evaluated: outcome.usage.prompt - outcome.usage.cached };
  }

  /** How many of the slots hold it now. What one slot refuses, the others may still take. */
  async #restoreAll(file: string, tokens: number, slots: readonly ServerSlot[], signal: AbortSignal): Promise<number> {
    let restored = 0;
    for (const slot of slots) {
      if (signal.aborted) break;
      if ((await this.#place.actions.restore(slot.id, file, signal)) === tokens) restored += 1;
    }
    if (restored === 0) throw new ActionFailed('No slot took the saved prefix.', false);
    return restored;
  }
}
