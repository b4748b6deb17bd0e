import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Chats } from './chats.ts';
import { invalidRequest, noSlotFiles, Refused, serverError } from './errors.ts';
import { parseBody } from './request.ts';
import type { Slot } from './slots.ts';
import { countTokens, type Segment } from './tokens.ts';
import { sendJson } from './wire.ts';

/** Bytes of a file: a head, and so much for each token. */
const HEAD_BYTES = 48;
const TOKEN_BYTES = 528;

/** Characters of a file's name; separators, `..` and what some file system refuses are not allowed. */
const LONGEST_NAME = 255;
const FORBIDDEN = /[/\\:*?"<>|]|\p{Cc}|\.\.|^ |[. ]$/u;

type Act = (chats: Chats, slot: Slot, id: number, name: string) => Record<string, unknown>;

/** What slots were saved under which name; it lives as long as the server. */
export class SlotFiles {
  readonly #files = new Map<string, readonly Segment[]>();
  readonly #allowed: boolean;

  constructor(allowed: boolean) {
    this.#allowed = allowed;
  }

  /** `POST /slots/{id}?action=…`, checked in the real server's order. A busy slot is waited for. */
  async act(chats: Chats, request: IncomingMessage, response: ServerResponse, text: string): Promise<void> {
    if (!this.#allowed) throw new Refused(noSlotFiles);
    const url = new URL(request.url ?? '/', 'http://localhost');
    const id = Number.parseInt(url.pathname.slice('/slots/'.length), 10);
    if (Number.isNaN(id)) throw new Refused(invalidRequest('Invalid slot ID'));
    const action = url.searchParams.get('action') ?? '';
    const act = this.#acts.get(action);
    if (!act) throw new Refused(invalidRequest('Invalid action'));
    const name = action === 'erase' ? '' : nameOf(text);
    const slot = chats.slots.byNumber(id);
    const done = Promise.withResolvers<Record<string, unknown>>();
    chats.slots.whenIdle(slot, () => {
      try {
        done.resolve(act(chats, slot, id, name));
      } catch (error) {
        done.reject(error);
      }
    });
    sendJson(response, await done.promise);
    chats.delivered();
  }

  readonly #save: Act = (_chats, slot, id, filename) => {
    this.#files.set(filename, slot.segments);
    const tokens = countTokens(slot.segments);
    return { id_slot: id, filename, n_saved: tokens, n_written: bytesOf(tokens), timings: { save_ms: 0.1 } };
  };

  readonly #restore: Act = (_chats, slot, id, filename) => {
    const saved = this.#files.get(filename);
    slot.segments = saved ?? [];
    const why = 'Unable to restore slot: No available space in KV cache or invalid slot save file';
    if (!saved) throw new Refused(invalidRequest(why));
    const tokens = countTokens(saved);
    return { id_slot: id, filename, n_restored: tokens, n_read: bytesOf(tokens), timings: { restore_ms: 0.1 } };
  };

  readonly #acts: ReadonlyMap<string, Act> = new Map([
    ['save', this.#save],
    ['restore', this.#restore],
    [
      'erase',
      (chats, slot, id) => {
        const tokens = chats.slots.held(slot);
        slot.segments = [];
        return { id_slot: id, n_erased: tokens };
      },
    ],
  ]);
}

const bytesOf = (tokens: number): number => HEAD_BYTES + tokens * TOKEN_BYTES;

const nameOf = (text: string): string => {
  const name = parseBody(text)['filename'];
  if (name === undefined) throw new Refused(serverError("[json.exception.out_of_range.403] key 'filename' not found"));
  if (typeof name !== 'string')
    throw new Refused(
      serverError(
        `[json.exception.type_error.302] type must be string, but is ${name === null ? 'null' : typeof name}`,
      ),
    );
  if (name === '' || name.length > LONGEST_NAME || FORBIDDEN.test(name))
    throw new Refused(invalidRequest('Invalid filename'));
  return name;
};
