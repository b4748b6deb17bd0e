import type { Socket } from 'node:net';
import type { PartialConfig } from '../../config.ts';
import type { Clock } from '../../domain/clock.ts';
import type { RepositoryPlace, RuntimePlace } from '../host/place.ts';
import type { EngineClient } from './engine-client.ts';
import type { Terminal } from './terminal.ts';

/** What the composition root hands to a command that works on one repository. */
export interface CliContext {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly version: string;
  readonly place: RepositoryPlace;
  readonly runtime: RuntimePlace;
  /** What files, environment and flags have set for a run; the engine has its own defaults. */
  readonly settings: PartialConfig;
  /** How the person calls this program, for advice: `coppice` or `node dist/coppice.js`. */
  readonly program: string;
  /** What the person must add to a command here: ` --repo PATH`, or nothing when they stand in the repository. */
  readonly repoFlag: string;
  /** Starts the engine when there is none. */
  connect(): Promise<EngineClient>;
  /** Null when no engine runs. */
  connectIfRunning(): Promise<Socket | null>;
  /** A fresh idempotency key. */
  newKey(): string;
  /** Lets the person change a text in their editor; `name` is that of the file. Throws UserError when none can be opened. */
  edit(text: string, name: string): Promise<string>;
}

/** Exit statuses of the command line; `coppice help` lists them. */
export const EXIT = { ok: 0, failed: 1, usage: 2, nothing: 3, partial: 4, notRun: 5, cancelled: 130 } as const;
