import type { Clock } from '../domain/clock.ts';
import { messageOf } from '../domain/errors.ts';
import { type Http, readText } from './http.ts';
import { withTimeLimit } from './time-limit.ts';

/** A question that needs no slot. */
const QUICK_MS = 15_000;
/** Writing or reading a slot's whole KV cache. */
const FILE_MS = 30_000;
const MAX_BODY_CHARS = 16_000_000;

type Json = Readonly<Record<string, unknown>>;

export interface SlotActionsPlace {
  /** Without `/v1`. */
  readonly root: string;
  readonly apiKey: string | null;
  readonly http: Http;
  readonly clock: Clock;
}

/** A slot as `/slots` shows it; `task` grows with each request, null: it never had one. */
export interface ServerSlot {
  readonly id: number;
  readonly busy: boolean;
  readonly task: number | null;
}

/** Why an action gave nothing. `never`: this server cannot do it, now or later. */
export class ActionFailed extends Error {
  override readonly name = 'ActionFailed';
  readonly never: boolean;
  constructor(message: string, never: boolean) {
    super(message);
    this.never = never;
  }
}

/** What llama-server offers about its slots and its template. Each throws ActionFailed. */
export interface SlotActions {
  /** Rejects with `never` when the server was not started with --slot-save-path. */
  assertSupported(signal: AbortSignal): Promise<void>;
  /** The prompt that the template makes of the body's messages and tools. */
  applyTemplate(body: object, signal: AbortSignal): Promise<string>;
  tokenize(prompt: string, signal: AbortSignal): Promise<readonly number[]>;
  slots(signal: AbortSignal): Promise<readonly ServerSlot[]>;
  /** Writes what the slot holds to a file; returns its tokens. */
  save(slot: number, filename: string, signal: AbortSignal): Promise<number>;
  /** Returns the tokens that the slot holds now; null when there is no such file, or none that fits. */
  restore(slot: number, filename: string, signal: AbortSignal): Promise<number | null>;
}

/** Speaks to one server. Nothing is asked before it is wanted. */
export const createSlotActions = (place: SlotActionsPlace): SlotActions => {
  const ask = (path: string, body: object | null, ms: number, signal: AbortSignal): Promise<Reply> =>
    withTimeLimit(place.clock, ms, signal, (limited) => send(place, path, body, limited)).catch((error: unknown) => {
      throw new ActionFailed(messageOf(error), false);
    });
  const file = (slot: number, action: string, filename: string, signal: AbortSignal): Promise<Reply> =>
    ask(`/slots/${slot}?action=${action}`, { filename }, FILE_MS, signal);
  return {
    // An action that does not exist is refused with 400 where slots can be saved, and with 501 where they cannot.
    assertSupported: async (signal) => {
      const { status } = await ask('/slots/0?action=none', {}, QUICK_MS, signal);
      if (status !== 400) throw new ActionFailed(NO_SLOT_FILES, status === 501 || status === 404 || status === 405);
    },
    applyTemplate: async (body, signal) => {
      const { json } = good(await ask('/apply-template', body, QUICK_MS, signal));
      if (typeof json['prompt'] !== 'string') throw new ActionFailed('The server showed no prompt.', true);
      return json['prompt'];
    },
    tokenize: async (content, signal) => {
      const body = { content, add_special: true, parse_special: true };
      const { json } = good(await ask('/tokenize', body, QUICK_MS, signal));
      return numbers(json['tokens']);
    },
    slots: async (signal) => listOf(good(await ask('/slots', null, QUICK_MS, signal)).json['list']),
    save: async (slot, filename, signal) => count(good(await file(slot, 'save', filename, signal)).json['n_saved']),
    restore: async (slot, filename, signal) => {
      const reply = await file(slot, 'restore', filename, signal);
      return reply.status === 400 ? null : count(good(reply).json['n_restored']);
    },
  };
};

const NO_SLOT_FILES = 'The model server was not started with --slot-save-path.';

interface Reply {
  readonly status: number;
  /** An array is put below `list`. */
  readonly json: Json;
}

const send = async (
  place: SlotActionsPlace,
  path: string,
  body: object | null,
  signal: AbortSignal,
): Promise<Reply> => {
  const { root, apiKey, http } = place;
  const headers = {
    accept: 'application/json',
    ...(body !== null && { 'content-type': 'application/json' }),
    ...(apiKey !== null && { authorization: `Bearer ${apiKey}` }),
  };
  const given = body === null ? {} : { body: JSON.stringify(body) };
  const reply = await http.send({
    method: body === null ? 'GET' : 'POST',
    url: root + path,
    headers,
    ...given,
    signal,
  });
  return { status: reply.status, json: parse(await readText(reply.stream, MAX_BODY_CHARS)) };
};

const parse = (text: string): Json => {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return { list: value };
    return typeof value === 'object' && value !== null ? (value as Json) : {};
  } catch {
    return {};
  }
};

const ABSENT: ReadonlySet<number> = new Set([404, 405, 501]);

const good = (reply: Reply): Reply => {
  if (reply.status === 200) return reply;
  const { error } = reply.json;
  const said = typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : '';
  throw new ActionFailed(said || `The model server answered with status ${reply.status}.`, ABSENT.has(reply.status));
};

const numbers = (value: unknown): readonly number[] => {
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'number'))
    throw new ActionFailed('The server counts its tokens in a form that is not known.', true);
  return value;
};

const count = (value: unknown): number => (typeof value === 'number' ? value : 0);

const listOf = (value: unknown): readonly ServerSlot[] => {
  if (!Array.isArray(value)) throw new ActionFailed('The server does not show its slots.', true);
  return value.flatMap((one: unknown) => {
    if (typeof one !== 'object' || one === null) return [];
    const { id, is_processing: busy, id_task: task } = one as Json;
    if (typeof id !== 'number') return [];
    return [{ id, busy: busy === true, task: typeof task === 'number' ? task : null }];
  });
};
