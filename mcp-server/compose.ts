import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { commandsDirOf } from './agent/tools/orphans.ts';
import { type SkillPlace, trySkills } from './compose-skills.ts';
import { type Config, DEFAULTS } from './config.ts';
import type { Clock } from './domain/clock.ts';
import { isDenied, UserError } from './domain/errors.ts';
import type { Random } from './domain/ids.ts';
import { createEngine } from './engine/engine.ts';
import type { Engine } from './engine/facade.ts';
import { ownProcessors } from './engine/own-processors.ts';
import type { EngineParts } from './engine/parts.ts';
import { createEndpoint } from './inference/endpoint.ts';
import type { Endpoint } from './inference/port.ts';
import { createEndpoints } from './inference/registry.ts';
import { type Rehearsal, startRehearsal } from './rehearsal/server.ts';
import type { SlowEmbed } from './skills/embed-in-time.ts';
import type { SkillRegistry } from './skills/port.ts';
import { acquireRepositoryLock } from './store/lock.ts';
import { openStore } from './store/open.ts';
import type { Store } from './store/port.ts';
import { openRepository } from './worktrees/open.ts';

/** For tests: end the process at once at the n-th commit of the store, or at the n-th git command. */
export interface CrashPoint {
  readonly where: 'store' | 'git';
  readonly at: number;
}

/** What an engine is put together from; all of it comes from argv, environment and files. */
export interface EngineIngredients {
  readonly root: string;
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  /** For git. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For commands of agents. */
  readonly commandEnvironment: Readonly<Record<string, string>>;
  /** Folder of the workflows that come with Coppice; absent: none do. */
  readonly bundledWorkflows?: string | undefined;
  /** Absent: agents and clients have no skills. */
  readonly skills?: SkillPlace | undefined;
  readonly crashPoint: CrashPoint | null;
  /** What the person should know of the settings, in words. */
  readonly warnings?: readonly string[];
  /** Of the built-in model, ms. */
  readonly rehearsalLatencyMs: number;
  log(line: string): void;
  /** Ends the process without any ceremony. */
  crash(): void;
}

/** An engine that works, holding the repository's lock. */
export interface ComposedEngine {
  readonly engine: Engine;
  /** Null: there are none. */
  readonly skills: SkillRegistry | null;
  /** For the person, in words: what was not as it should be. Each is an event too, and a warning of the set-up's check. */
  readonly notices: readonly string[];
  /** After the engine has stopped: frees what is left. */
  release(): Promise<void>;
}

/** The file whose lock says who owns the repository at `root`. */
export const lockFileOf = (root: string): string => join(root, '.coppice', 'engine.lock.db');

/** Lock → repository → store → engine. Throws UserError `engine-busy` at once when another engine has the repository. */
export const composeEngine = async (parts: EngineIngredients): Promise<ComposedEngine> => {
  const stateDir = join(parts.root, '.coppice');
  const fresh = !existsSync(stateDir);
  const lock = acquireRepositoryLock(lockFileOf(parts.root));
  if (lock === null) {
    throw new UserError('engine-busy', `Another engine works on ${parts.root}. "coppice stop" ends it.`);
  }
  const servers = openServers(parts);
  const undo: (() => Promise<unknown>)[] = [async () => lock.release()];
  try {
    const faults = faultsOf(parts);
    const repository = await openRepository({
      path: parts.root,
      random: parts.random,
      clock: parts.clock,
      environment: parts.environment,
      faults: faults.git,
    });
    undo.unshift(() => repository.close());
    const { store, notice } = await openStore({
      path: join(repository.stateDir, 'state.db'),
      backupDir: join(repository.stateDir, 'backups'),
      clock: parts.clock,
      version: parts.version,
      faults: faults.store,
    });
    undo.unshift(() => store.close());
    const skills = await openSkillsOf(parts, repository.stateDir, embedOf(parts.config, servers));
    undo.unshift(async () => skills?.parts?.registry.close());
    const notices = [...(parts.warnings ?? []), notice, skills?.notice].filter((one) => typeof one === 'string');
    await tell(parts, store, notices);
    const engine = await startEngine(parts, {
      store,
      repository,
      skills: skills?.parts ?? undefined,
      endpoint: servers.endpoint,
    });
    return {
      engine: warningOf(notices, engine),
      skills: skills?.parts?.registry ?? null,
      notices,
      release: async () => {
        await skills?.parts?.registry.close();
        await servers.close();
        lock.release();
      },
    };
  } catch (error) {
    for (const step of undo) await step().catch(() => {});
    await servers.close();
    // A folder that cannot be worked on is left as it was found.
    if (fresh) await rm(stateDir, { recursive: true, force: true });
    throw isDenied(error) ? notAllowed(error, parts.root) : error;
  }
};

const startEngine = (
  parts: EngineIngredients,
  opened: Pick<EngineParts, 'store' | 'repository' | 'skills' | 'endpoint'>,
): Promise<Engine> => {
  const { clock, random, version, commandEnvironment, bundledWorkflows } = parts;
  const { apiKey: _key, skillHub: _hub, skillHubHosts: _hosts, processors, worktree, ...settings } = parts.config;
  const [program, ...rest] = worktree.setup ?? [];
  return createEngine({
    settings,
    clock,
    random,
    version,
    commandEnvironment,
    bundledWorkflows,
    ...(processors ? { processors: ownProcessors(join(opened.repository.stateDir, 'processors')) } : {}),
    ...(program === undefined ? {} : { worktreeSetup: { argv: [program, ...rest], timeoutMs: worktree.setupTimeout } }),
    log: (line) => parts.log(line),
    ...opened,
  });
};

const openSkillsOf = async (parts: EngineIngredients, stateDir: string, embed: SlowEmbed | undefined) => {
  const { root, config, clock, random, environment, skills: place } = parts;
  const commandsDir = commandsDirOf(stateDir);
  const needs = {
    root,
    stateDir,
    commandsDir,
    hub: { baseUrl: config.skillHub, hosts: config.skillHubHosts },
    clock,
    random,
    environment,
    embed,
  };
  return place && trySkills({ ...needs, place });
};

type Servers = ReturnType<typeof openServers>;

/** Skills are compared by the server that the person has chosen. The standard one is only a guess until a run has found it. */
const embedOf = ({ server, model }: Config, servers: Servers): SlowEmbed | undefined => {
  if (server === 'rehearsal') return undefined;
  return async (texts) => {
    const endpoint = await servers.endpoint(server, model);
    if (server === DEFAULTS.server && endpoint.knownFacts() === null) return null;
    return endpoint.embed(texts, servers.closing);
  };
};

const tell = async (parts: EngineIngredients, store: Store, notices: readonly string[]): Promise<void> => {
  for (const notice of notices) parts.log(notice);
  const events = notices.map((notice) => ({ type: 'engine.noticed' as const, run: null, agent: null, notice }));
  if (events.length > 0) await store.transaction((tx) => tx.emit(parts.clock.now(), events));
};

const warningOf = (notices: readonly string[], engine: Engine): Engine => ({
  ...engine,
  checkSetup: async (options) => {
    const { ok, problems } = await engine.checkSetup(options);
    const warnings = notices.map((what) => ({ severity: 'warning' as const, what, fix: '' }));
    return { ok, problems: [...warnings, ...problems] };
  },
});

const notAllowed = (error: Error & { readonly path?: string }, root: string): UserError =>
  new UserError(
    'permission-denied',
    `${error.path ?? root} cannot be used (${error.message}). ` +
      `Give yourself the right to write in ${root}, .git included, or work on a clone of your own.`,
    { cause: error },
  );

const openServers = (
  parts: EngineIngredients,
): {
  endpoint(server: string, model: string | null): Promise<Endpoint>;
  /** Aborts when they are closed. */
  readonly closing: AbortSignal;
  close(): Promise<void>;
} => {
  const { config, clock, rehearsalLatencyMs } = parts;
  const endpoints = createEndpoints({
    make: (url, model, pool) => createEndpoint({ url, model, pool, clock, apiKey: keyFor(url, config) }),
  });
  const closing = new AbortController();
  let rehearsal: Promise<Rehearsal> | undefined;
  return {
    endpoint: async (server, model) => {
      if (server !== 'rehearsal') return endpoints.get(server, model);
      rehearsal ??= startRehearsal({ port: 0, slots: 4, slotSavePath: 'memory', latencyMs: rehearsalLatencyMs });
      return endpoints.get((await rehearsal).url, null);
    },
    closing: closing.signal,
    close: async () => {
      closing.abort();
      endpoints.close();
      await (await rehearsal)?.close();
    },
  };
};

/** The key goes to the server that it was set for, and to nobody whom a client happens to name. */
const keyFor = (url: string, config: Config): string | null =>
  config.server !== 'rehearsal' && new URL(url).origin === new URL(config.server).origin ? config.apiKey : null;

const faultsOf = (parts: EngineIngredients) => {
  let count = 0;
  const step = (where: CrashPoint['where']) => (): void => {
    if (parts.crashPoint?.where === where && ++count === parts.crashPoint.at) parts.crash();
  };
  return {
    store: { beforeCommit: step('store'), afterCommit: step('store') },
    git: { before: step('git') },
  };
};
