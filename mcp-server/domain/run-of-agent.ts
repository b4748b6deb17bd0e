import type { Agent } from './agent.ts';
import { type Permissions, planningOf, type Run } from './run.ts';

type Own = Pick<Agent, 'server' | 'model' | 'permissions'>;
type Of = Pick<Run, 'options'>;

/** What the agent may do: its own permissions where it has some, else the run's. */
export const permissionsOf = (run: Of, agent: Own): Permissions => agent.permissions ?? run.options.permissions;

/** The inference server of the agent's turns. */
export const serverOf = (run: Of, agent: Own): string => agent.server ?? run.options.server;

/** The model of the agent's turns; null: the one that the server has. */
export const modelOf = (run: Of, agent: Own): string | null =>
  agent.model ?? modelOfServer(run, agent.server ?? run.options.server);

/** The model that a run uses on a server. */
export const modelOfServer = ({ options }: Of, server: string): string | null =>
  server === options.server
    ? options.model
    : (planningOf(options).servers.find((option) => option.server === server)?.model ?? null);

/** What both allow. */
export const commonPermissions = (one: Permissions, other: Permissions): Permissions => {
  if (one.commands === 'off' || other.commands === 'off') return { commands: 'off' };
  if (one.commands === 'any') return other;
  if (other.commands === 'any') return one;
  const { allowed } = other.commands;
  return { commands: { allowed: one.commands.allowed.filter((program) => allowed.includes(program)) } };
};
