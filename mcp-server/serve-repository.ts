import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type ComposedEngine, composeEngine, type EngineIngredients, lockFileOf } from './compose.ts';
import { traceOf } from './domain/errors.ts';
import type { RunId } from './domain/ids.ts';
import { type Host, type HostParts, startHost } from './faces/host/engine-host.ts';
import { openLog } from './faces/host/log-file.ts';
import type { RepositoryPlace } from './faces/host/place.ts';
import { startHttp } from './faces/http/server.ts';
import { givenToken, openTokenBook } from './faces/http/tokens.ts';
import { type McpFace, type McpFaceParts, openMcpFace } from './faces/mcp/face.ts';
import { workflowPrompts } from './faces/mcp/workflow-prompts.ts';

const LOG_BYTES = 2_000_000;

/** What `coppice engine` works with. */
export interface ServeOptions extends Omit<EngineIngredients, 'root' | 'log'> {
  readonly place: RepositoryPlace;
  readonly socket: string;
  readonly platform: NodeJS.Platform;
  readonly pid: number;
  readonly idleMs: number;
  readonly stopMs: number;
  /** Calls when the process is asked to end. */
  onSignal(listener: (signal: string) => void): void;
  /** Calls when something was thrown that nobody caught. */
  onBug(listener: (error: unknown) => void): void;
  /** Where log lines go as well; null: nowhere. */
  readonly echo: ((line: string) => void) | null;
}

/** Serves one repository until it is asked to stop or nobody needs it. Resolves with the exit status. */
export const serveRepository = async (options: ServeOptions): Promise<number> => {
  const { place, clock, version, echo } = options;
  const stateDir = join(place.root, '.coppice');
  const logFile = openLog(join(stateDir, 'logs', 'engine.log'), { clock, maxBytes: LOG_BYTES });
  const pending: string[] = [];
  // Nothing is written below the repository before the engine has it.
  let log = (line: string): void => void pending.push(line);
  const composed = await composeEngine({ ...options, root: place.root, log: (line) => log(line) });
  const present = (): boolean => isThere(lockFileOf(place.root));
  log = (line) => {
    // A folder that was deleted does not come back because of a log.
    if (present()) logFile(`[${options.pid}] ${line}`);
    echo?.(line);
  };
  for (const line of pending) log(line);
  let failed = false;
  let host: Host | undefined;
  let asked: string | null = null;
  const stop = (reason: string): void => {
    asked = reason;
    void host?.stop(reason);
  };
  options.onSignal(stop);
  options.onBug((error) => {
    failed = true;
    log(`bug: ${traceOf(error)}`);
    stop('a bug');
  });
  const face = faceOf(composed, { version, clock, log: (line) => log(line) });
  host = await startHost({
    engine: composed.engine,
    version,
    notices: composed.notices,
    clock,
    log: (line) => log(line),
    pid: options.pid,
    socket: options.socket,
    platform: options.platform,
    stateFile: join(stateDir, 'engine.json'),
    idleMs: options.idleMs,
    stopMs: options.stopMs,
    present,
    release: async () => {
      face.close();
      await composed.release();
    },
    serve: (socket, control) => face.serve(socket, control),
    openHttp: httpOf(face, (line) => log(line)),
  }).catch(async (error) => {
    await composed.engine.stop();
    await composed.release();
    throw error;
  });
  // Asked while it was still getting ready.
  if (asked !== null) void host.stop(asked);
  await host.ended;
  return failed ? 1 : 0;
};

const httpOf =
  (face: McpFace, log: (line: string) => void): NonNullable<HostParts['openHttp']> =>
  ({ port, origins, tokens, given }) =>
    startHttp({ face, port, origins, tokens: openTokenBook(tokens, given ? [givenToken(given)] : []), log });

/** Only a clear no is one: a file system that fails for a moment ends nobody's work. */
const isThere = (path: string): boolean => {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
};

/** How long a pinned skill's tool works before it answers with the run that goes on; clients abandon long calls. */
const SKILL_WAIT_MS = 45_000;

const faceOf = (
  { engine, skills }: ComposedEngine,
  parts: Pick<McpFaceParts, 'version' | 'clock' | 'log'> & Pick<ServeOptions, 'clock'>,
): McpFace => {
  const prompts = workflowPrompts({ list: () => engine.listWorkflows(), now: () => parts.clock.now() });
  if (!skills) return openMcpFace({ engine, prompts, ...parts });
  return openMcpFace({
    engine,
    prompts,
    skills,
    approvals: {
      decide: (id, approved) => engine.decideSkillApproval(id, approved),
      next: (run, seen, signal) => engine.nextSkillApproval(run as RunId, seen, signal),
    },
    runSkill: async (name, input, signal) => ({
      ...(await engine.runSkill({ name, input, waitMs: SKILL_WAIT_MS }, signal)),
    }),
    ...parts,
  });
};
