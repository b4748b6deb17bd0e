import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentLimits, DEFAULT_LIMITS } from '../../mcp-server/agent/prepare.ts';
import { commandsDirOf } from '../../mcp-server/agent/tools/orphans.ts';
import { composeSkills } from '../../mcp-server/compose-skills.ts';
import { type Clock, systemClock } from '../../mcp-server/domain/clock.ts';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import type { RunOptions } from '../../mcp-server/domain/run.ts';
import { createEngine } from '../../mcp-server/engine/engine.ts';
import type { Engine, RunView } from '../../mcp-server/engine/facade.ts';
import type { EngineParts } from '../../mcp-server/engine/parts.ts';
import type { SkillParts } from '../../mcp-server/engine/skill-parts.ts';
import { createEndpoint } from '../../mcp-server/inference/endpoint.ts';
import { createEndpoints } from '../../mcp-server/inference/registry.ts';
import type { SlowEmbed } from '../../mcp-server/skills/embed-in-time.ts';
import type { FindSandbox } from '../../mcp-server/skills/execute/sandbox.ts';
import { checkInvariants } from '../../mcp-server/store/invariants.ts';
import { openStore } from '../../mcp-server/store/open.ts';
import type { Store } from '../../mcp-server/store/port.ts';
import { openRepository } from '../../mcp-server/worktrees/open.ts';
import type { Repository } from '../../mcp-server/worktrees/port.ts';
import { quickClock } from './quick-clock.ts';
import { makeRepository, type TestRepository } from './repository.ts';
import { type Rehearsal, type RehearsalOptions, type Script, startRehearsal } from './scripted-server.ts';

/** A real engine on a real repository with a real database; only the model is scripted. */
export interface Bench {
  readonly repo: TestRepository;
  readonly model: Rehearsal;
  readonly engine: Engine;
  readonly store: Store;
  readonly repository: Repository;
  readonly skills: SkillParts | undefined;
  readonly log: readonly string[];
  readonly clock: Clock;
  /** Options of a run that says nothing. */
  readonly settings: RunOptions;
  /** Starts a run and waits for its end. */
  run(task: string, options?: Partial<RunOptions>): Promise<RunView>;
  waitEnd(run: RunId, ms?: number): Promise<RunView>;
  waitUntil(what: string, probe: () => Promise<boolean>): Promise<void>;
  invariants(run: RunId): Promise<string[]>;
  /** Stops the engine as a person would and starts another one on the same state. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface BenchOptions {
  readonly files?: Readonly<Record<string, string>>;
  readonly repo?: TestRepository;
  readonly script?: Script;
  readonly server?: RehearsalOptions;
  readonly settings?: Partial<RunOptions>;
  readonly limits?: Partial<AgentLimits>;
  readonly stallMs?: number;
  /** Run once in each new worktree. */
  readonly worktreeSetup?: EngineParts['worktreeSetup'];
  /** The person's own processors. */
  readonly processors?: EngineParts['processors'];
  /** Agents and the façade have skills: the repository's own, and those that come with Coppice. */
  readonly skills?: boolean;
  /** What holds scripts beside Node; absent: what this machine has. */
  readonly findSandbox?: FindSandbox;
  /** Address of a hub. */
  readonly hub?: string;
  /** How much faster the engine's time goes by than the server's: 1 when absent. */
  readonly speed?: number;
}

export const seededRandom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

const settingsFor = (model: Rehearsal, more: Partial<RunOptions>): RunOptions => ({
  budget: 500_000,
  maxDepth: 3,
  maxAgents: 60,
  maxAgentsPerLevel: 40,
  concurrency: 64,
  server: model.url,
  model: null,
  permissions: { commands: 'off' },
  unattended: false,
  planning: { retries: 0 },
  ...more,
});

let seed = 1;

const openSkills = async (
  repository: Repository,
  clock: Clock,
  random: () => number,
  {
    grants,
    hub = 'http://127.0.0.1:9',
    embed,
    findSandbox,
  }: {
    readonly grants: string;
    readonly hub?: string | undefined;
    readonly embed: SlowEmbed;
    readonly findSandbox?: FindSandbox | undefined;
  },
): Promise<SkillParts> =>
  composeSkills({
    root: repository.root,
    stateDir: repository.stateDir,
    commandsDir: commandsDirOf(repository.stateDir),
    place: {
      home: null,
      bundled: join(import.meta.dirname, '..', '..', 'skills'),
      grants: join(grants, 'skills.json'),
      node: { path: process.execPath, environment: {}, permissionModel: true },
      ...(findSandbox && { findSandbox }),
    },
    hub: { baseUrl: hub },
    clock,
    random,
    environment: process.env,
    embed,
  });

/** `grants`: the folder of what the person granted. */
const assemble = async (
  repo: TestRepository,
  model: Rehearsal,
  options: BenchOptions,
  log: string[],
  grants: string,
) => {
  const random = seededRandom((seed += 1));
  const clock = options.speed === undefined ? systemClock : quickClock(options.speed);
  const repository = await openRepository({ path: repo.root, random, clock, environment: process.env });
  const { store } = await openStore({
    path: join(repository.stateDir, 'state.db'),
    backupDir: join(repository.stateDir, 'backups'),
    clock,
    version: 'test',
  });
  const timeouts =
    options.stallMs === undefined ? {} : { timeouts: { stallMs: options.stallMs, firstByteMs: options.stallMs } };
  const endpoints = createEndpoints({
    make: (url, name, pool) =>
      createEndpoint({ url, model: name, pool, clock: systemClock, apiKey: null, ...timeouts }),
  });
  const embed: SlowEmbed = (texts) => endpoints.get(model.url, null).embed(texts, new AbortController().signal);
  const skills = options.skills
    ? await openSkills(repository, clock, random, { grants, hub: options.hub, embed, findSandbox: options.findSandbox })
    : undefined;
  const engine = await createEngine(
    {
      store,
      repository,
      clock,
      random,
      version: 'test',
      settings: settingsFor(model, options.settings ?? {}),
      commandEnvironment: { PATH: process.env['PATH'] ?? '' },
      endpoint: async (url, name) => endpoints.get(url, name),
      bundledWorkflows: join(import.meta.dirname, '../../media/workflows'),
      log: (line) => log.push(line),
      worktreeSetup: options.worktreeSetup,
      ...(options.processors ? { processors: options.processors } : {}),
      skills,
    },
    { ...DEFAULT_LIMITS, ...options.limits },
  );
  const close = async (): Promise<void> => {
    await engine.stop();
    await skills?.registry.close();
    endpoints.close();
  };
  return { engine, store, repository, clock, skills, close };
};

export const openBench = async (options: BenchOptions = {}): Promise<Bench> => {
  const repo = options.repo ?? makeRepository(options.files);
  const model = await startRehearsal({
    slots: 4,
    ...options.server,
    ...(options.script ? { answer: options.script } : {}),
  });
  const log: string[] = [];
  const grants = mkdtempSync(join(tmpdir(), 'cop-grants-'));
  let parts = await assemble(repo, model, options, log, grants);
  const waitEnd = async (run: RunId, ms = 20_000): Promise<RunView> => {
    const view = await parts.engine.waitRun(run, ms * (options.speed ?? 1), new AbortController().signal);
    if (view.endedAt === null)
      throw new Error(
        `${run} has not ended: ${JSON.stringify({ view, queue: await parts.engine.queue(), log }, null, 1)}`,
      );
    return view;
  };
  return {
    repo,
    model,
    log,
    settings: settingsFor(model, options.settings ?? {}),
    get clock() {
      return parts.clock;
    },
    waitEnd,
    get engine() {
      return parts.engine;
    },
    get store() {
      return parts.store;
    },
    get skills() {
      return parts.skills;
    },
    get repository() {
      return parts.repository;
    },
    run: async (task, more = {}) => waitEnd((await parts.engine.startRun({ task, options: more })).run),
    waitUntil: async (what, probe) => {
      for (let tries = 0; tries < 500; tries++) {
        if (await probe()) return;
        await systemClock.sleep(20);
      }
      throw new Error(`Never: ${what}\n${log.join('\n')}`);
    },
    invariants: (run) => checkInvariants(parts.store, run),
    restart: async () => {
      await parts.close();
      parts = await assemble(repo, model, options, log, grants);
    },
    close: async () => {
      await parts.close();
      await model.close();
      rmSync(grants, { recursive: true, force: true });
      if (!options.repo) repo.remove();
    },
  };
};
