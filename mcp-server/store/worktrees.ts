import type { AgentId, RunId } from '../domain/ids.ts';
import { move, WORKTREE_STATES, type WorktreeState } from '../domain/transitions.ts';
import type { Worktree } from '../domain/worktree.ts';
import type { Connection } from './connection.ts';
import type { NewWorktree } from './port.ts';
import { query } from './schema.ts';
import { ARG, keep, list, sql, valuesOf } from './sql.ts';

const GIVEN = ['agent', 'run', 'path', 'admin', 'branch'] as const satisfies readonly (keyof NewWorktree)[];
const COLUMNS = [...GIVEN, 'state', 'reason'] as const satisfies readonly (keyof Worktree)[];

const worktrees = query.selectFrom('worktrees').select(COLUMNS);
const OF_AGENT = keep(worktrees.where('agent', '=', ARG));

export const worktreeOf = (db: Connection, agent: AgentId): Worktree | undefined => db.get(OF_AGENT, agent);

export const worktreesWhere = (
  db: Connection,
  filter: { readonly run?: RunId; readonly states?: readonly WorktreeState[] } = {},
): Worktree[] => {
  let built = worktrees.orderBy('agent');
  if (filter.run) built = built.where('run', '=', filter.run);
  if (filter.states) built = built.where('state', 'in', filter.states);
  return db.rows(built);
};

const INSERT = sql(`
  INSERT INTO worktrees (${list(GIVEN)}, state) VALUES (${GIVEN.map(() => '?').join(', ')}, 'creating')
  ON CONFLICT (agent) DO UPDATE SET run = excluded.run, path = excluded.path, admin = excluded.admin,
    branch = excluded.branch, state = excluded.state, reason = NULL WHERE worktrees.state = 'gone'`);
const MOVE = sql('UPDATE worktrees SET state = ?, reason = ? WHERE agent = ?');

/** In state `creating`. An agent whose worktree is gone may have another; throws when it has one. */
export const insertWorktree = (db: Connection, worktree: NewWorktree): void => {
  const changed = db.run(INSERT, ...valuesOf(worktree, GIVEN));
  if (changed !== 1) throw new Error(`Agent ${worktree.agent} has a worktree already.`);
};

/** A reason that is not given again is gone. */
export const moveWorktree = (db: Connection, agent: AgentId, to: WorktreeState, reason?: string): void => {
  const worktree = worktreeOf(db, agent);
  if (!worktree) throw new Error(`Agent ${agent} has no worktree.`);
  db.run(MOVE, move(WORKTREE_STATES, worktree.state, to), reason ?? null, agent);
};
