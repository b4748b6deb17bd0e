import { type RawBuilder, sql as raw } from 'kysely';
import { type Agent, NOTHING_YET, type Pause } from '../domain/agent.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import { AGENT_STATES, type AgentState, move } from '../domain/transitions.ts';
import type { Connection } from './connection.ts';
import type { AgentPatch, NewAgent } from './port.ts';
import { query, type Schema } from './schema.ts';
import { ARG, bindable, insertInto, keep, keysOf, sql, valuesOf } from './sql.ts';

const GIVEN = [
  'id',
  'run',
  'parent',
  'step',
  'depth',
  'tier',
  'role',
  'name',
  'task',
  'temperature',
  'state',
  'branch',
  'baseCommit',
  'headCommit',
  'createdAt',
] as const satisfies readonly (keyof NewAgent)[];
/** They may be left out. */
const OWN = [
  'server',
  'model',
  'permissions',
  'skills',
  'timeoutMs',
  'urgency',
  'pause',
] as const satisfies readonly (keyof NewAgent)[];
const COLUMNS = [
  ...GIVEN,
  ...OWN,
  'startCommit',
  'wrapUpWhy',
  'deadline',
  'pausedAt',
  'action',
  'report',
  'error',
  'endReason',
  'wrapUp',
  'compactedBefore',
  'startedAt',
  'endedAt',
] as const satisfies readonly (keyof Agent)[];
type Row = Pick<Schema['agents'], (typeof COLUMNS)[number]>;

const parse = (row: Row): Agent => ({
  ...row,
  wrapUp: row.wrapUp === 1,
  permissions: row.permissions === null ? null : (JSON.parse(row.permissions) as Agent['permissions'] & object),
  skills: row.skills === null ? null : (JSON.parse(row.skills) as readonly string[]),
});

const agents = query.selectFrom('agents').select(COLUMNS);
const BY_ID = keep(agents.where('id', '=', ARG));
const STATE = keep(query.selectFrom('agents').select('state').where('id', '=', ARG));
const CHILDREN = keep(agents.where('parent', '=', ARG).orderBy('n'));
const COUNT = keep(query.selectFrom('agents').select(query.fn.countAll<number>().as('count')).where('run', '=', ARG));
const COUNT_AT = keep(
  query
    .selectFrom('agents')
    .select(query.fn.countAll<number>().as('count'))
    .where('run', '=', ARG)
    .where('depth', '=', ARG),
);
const COUNTS = keep(
  query
    .selectFrom('agents')
    .select(['state', query.fn.countAll<number>().as('count')])
    .where('run', '=', ARG)
    .groupBy('state'),
);
/** Its condition is that of the index agents_alive, word for word. */
const ANY_ALIVE = sql<{ id: AgentId }>(
  `SELECT id FROM agents WHERE run = ? AND state NOT IN ('completed', 'failed', 'cancelled') LIMIT 1`,
);

export const agentById = (db: Connection, id: AgentId): Agent | undefined => {
  const row = db.get(BY_ID, id);
  return row && parse(row);
};

export const agentsOf = (
  db: Connection,
  run: RunId,
  filter: { readonly ids?: readonly AgentId[]; readonly states?: readonly AgentState[] } = {},
): Agent[] => {
  let built = agents.where('run', '=', run).orderBy('n');
  if (filter.states) built = built.where('state', 'in', filter.states);
  if (filter.ids) built = built.where('id', 'in', oneOf(JSON.stringify(filter.ids)));
  return db.rows(built).map(parse);
};
/** One argument for any number of ids: the statement stays the same. */
const oneOf = (ids: string): RawBuilder<AgentId> => raw<AgentId>`(SELECT value FROM json_each(${ids}))`;

export const childrenOf = (db: Connection, id: AgentId): Agent[] => db.all(CHILDREN, id).map(parse);

export const countAgents = (db: Connection, run: RunId, depth?: number): number =>
  (depth === undefined ? db.get(COUNT, run) : db.get(COUNT_AT, run, depth))?.count ?? 0;

export const agentCounts = (db: Connection, run: RunId): Partial<Record<AgentState, number>> =>
  Object.fromEntries(db.all(COUNTS, run).map(({ state, count }) => [state, count]));

/** Whether any of the run is not in a final state. */
export const anyAlive = (db: Connection, run: RunId): boolean => db.get(ANY_ALIVE, run) !== undefined;

const INSERT = insertInto('agents', [...GIVEN, ...OWN]);
const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));

/** Returns them as they would be read. */
export const insertAgents = (db: Connection, agents: readonly NewAgent[]): Agent[] =>
  agents.map((agent) => {
    const { server = null, model = null, permissions = null, skills = null, timeoutMs = null, urgency = 0 } = agent;
    const own = {
      server: stored(server),
      model: stored(model),
      permissions,
      skills,
      timeoutMs,
      urgency,
      pause: agent.pause ?? pauseOf(db, agent),
    };
    const given = { ...own, permissions: json(permissions), skills: json(skills) };
    db.insert(INSERT, ...valuesOf(agent, GIVEN), ...valuesOf(given, OWN));
    const row = Object.fromEntries([...GIVEN.map((key) => [key, stored(agent[key])]), ...Object.entries(own)]);
    return { ...NOTHING_YET, ...row } as Agent;
  });

const ANY_PAUSE = sql<{ id: AgentId }>('SELECT id FROM agents WHERE run = ? AND pause IS NOT NULL LIMIT 1');
const PAUSED_ABOVE = sql<{ id: AgentId }>(`SELECT id FROM agents WHERE id = ? AND pause = 'below'`);
const PAUSED_RUN = sql<{ id: RunId }>('SELECT id FROM runs WHERE id = ? AND pausedAt IS NOT NULL');

/** A child of an agent that is to pause with all below it begins like that; so does whoever hangs from a run that pauses. */
const pauseOf = (db: Connection, { parent, run }: NewAgent): Pause | null => {
  const above = parent === null ? db.get(PAUSED_RUN, run) : db.get(ANY_PAUSE, run) && db.get(PAUSED_ABOVE, parent);
  return above ? 'below' : null;
};

/** The condition of the index agents_deadline, word for word. */
const OVERDUE = sql<Row>(`
  SELECT ${COLUMNS.map((column) => `"${column}"`).join(', ')} FROM agents INDEXED BY agents_deadline
   WHERE deadline IS NOT NULL AND state NOT IN ('completed', 'failed', 'cancelled') AND deadline <= ? AND state <> 'paused'
   ORDER BY deadline`);
export const overdueAgents = (db: Connection, now: number): Agent[] => db.all(OVERDUE, now).map(parse);

/** `from`: the state that it is known to have; read when absent. Returns the state it had. */
export const moveAgent = (
  db: Connection,
  id: AgentId,
  to: AgentState,
  patch: AgentPatch = {},
  from: AgentState | undefined = db.get(STATE, id)?.state,
): AgentState => {
  if (from === undefined) throw new Error(`There is no agent ${id}.`);
  update(db, id, { ...patch, state: move(AGENT_STATES, from, to) });
  return from;
};

export const patchAgent = (db: Connection, id: AgentId, patch: AgentPatch): void => update(db, id, patch);

/** The agent as the patch leaves it: what is stored of a text is well-formed. */
export const patched = (agent: Agent, patch: AgentPatch): Agent => {
  const result: Record<string, unknown> = { ...agent };
  for (const key of keysOf(patch)) result[key] = stored(patch[key]);
  return result as unknown as Agent;
};

/** Halves of characters do not come back as they were. */
const stored = (value: unknown): unknown => (typeof value === 'string' ? value.toWellFormed() : value);

/** Patches have few shapes, so each keeps its prepared statement. */
const update = (db: Connection, id: AgentId, patch: AgentPatch & { readonly state?: AgentState }): void => {
  const keys = keysOf(patch);
  if (keys.length === 0) return;
  const text = sql(`UPDATE agents SET ${keys.map((key) => `"${key}" = ?`).join(', ')} WHERE id = ?`);
  const changed = db.run(text, ...keys.map((key) => bindable(patch[key])), id);
  if (changed !== 1) throw new Error(`There is no agent ${id}.`);
};
