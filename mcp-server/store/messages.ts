import type { AgentId, MessageId, TurnId } from '../domain/ids.ts';
import { INBOX_BOUND, type Message } from '../domain/message.ts';
import type { Connection } from './connection.ts';
import type { NewMessage } from './port.ts';
import { insertInto, list, sql, valuesOf } from './sql.ts';

const GIVEN = [
  'id',
  'run',
  'to',
  'from',
  'kind',
  'priority',
  'body',
  'createdAt',
] as const satisfies readonly (keyof NewMessage)[];
const COLUMNS = [...GIVEN, 'turn'] as const satisfies readonly (keyof Message)[];

const DELIVERED = sql<Message>(`
  SELECT ${list(COLUMNS, 'messages')} FROM turns CROSS JOIN messages ON messages.turn = turns.id
   WHERE turns.agent = +? AND turns.state <> 'dropped' ORDER BY turns.seq, messages.place`);
const INBOX = sql<Message>(
  `SELECT ${list(COLUMNS)} FROM messages WHERE "to" = +? AND turn IS NULL ORDER BY priority DESC, n LIMIT +?`,
);
const INBOX_SIZE = sql<{ count: number }>(`SELECT count(*) AS count FROM messages WHERE "to" = ? AND turn IS NULL`);

/** By turn, then in the order of delivery. */
export const delivered = (db: Connection, agent: AgentId): Message[] => db.all(DELIVERED, agent);

/** Undelivered ones: priority, then order of arrival. */
export const inbox = (db: Connection, agent: AgentId, limit: number): Message[] => db.all(INBOX, agent, limit);

const INSERT = insertInto('messages', GIVEN);
const PLACES = sql<{ count: number }>('SELECT count(*) AS count FROM messages WHERE turn = ?');
const DELIVER = sql('UPDATE messages SET turn = ?, place = ? WHERE id = ? AND turn IS NULL');
const UNDELIVER = sql('UPDATE messages SET turn = NULL, place = NULL WHERE turn = ?');

const alwaysFits = (message: NewMessage): boolean =>
  message.from === 'person' || message.from === 'engine' || message.kind === 'report';

/** False when the inbox is full. */
export const send = (db: Connection, message: NewMessage): boolean => {
  if (!alwaysFits(message) && (db.get(INBOX_SIZE, message.to)?.count ?? 0) >= INBOX_BOUND) return false;
  db.insert(INSERT, ...valuesOf(message, GIVEN));
  return true;
};

/** Messages that it still takes in. */
export const inboxRoom = (db: Connection, agent: AgentId): number =>
  Math.max(0, INBOX_BOUND - (db.get(INBOX_SIZE, agent)?.count ?? 0));

/** Throws when one of them was delivered before. */
export const deliver = (db: Connection, turn: TurnId, messages: readonly MessageId[]): void => {
  if (messages.length === 0) return;
  let place = db.get(PLACES, turn)?.count ?? 0;
  for (const id of messages)
    if (db.run(DELIVER, turn, place++, id) !== 1) throw new Error(`Message ${id} is not in an inbox.`);
};

/** Puts what the turn took back where it was. */
export const undeliver = (db: Connection, turn: TurnId): void => {
  db.run(UNDELIVER, turn);
};
