import { join } from 'node:path';
import { runFilter } from './agent/tools/process.ts';
import type { Clock } from './domain/clock.ts';
import { UserError } from './domain/errors.ts';
import type { Random } from './domain/ids.ts';
import type { SkillParts } from './engine/skill-parts.ts';
import { openDrafts } from './skills/drafts/drafts.ts';
import { embedInTime, type SlowEmbed } from './skills/embed-in-time.ts';
import type { NodeProgram, SpawnBounded } from './skills/execute/bounded-process.ts';
import type { ScriptHolds } from './skills/execute/hold.ts';
import { runScript } from './skills/execute/run-script.ts';
import { type FindSandbox, findBubblewrap } from './skills/execute/sandbox.ts';
import { IMPORT_LIMITS } from './skills/imports/bundle.ts';
import type { HubParts } from './skills/imports/clawhub-client.ts';
import { createClawHub } from './skills/imports/from-clawhub.ts';
import { createImporter } from './skills/imports/import-skill.ts';
import type { SkillRegistry } from './skills/port.ts';
import { openSkills } from './skills/registry.ts';
import { createFetchCommit } from './worktrees/fetch-skills.ts';

/** Where skills are, and what runs their scripts; all of it comes from argv, environment and the program's own place. */
export interface SkillPlace {
  /** Null: skills of the home folder are left out. */
  readonly home: string | null;
  /** The skills that come with Coppice. */
  readonly bundled: string;
  /** Absolute path of the person's grants, outside of the repository. */
  readonly grants: string;
  readonly node: NodeProgram;
  /** Absent: what this machine has. */
  readonly findSandbox?: FindSandbox;
}

interface Needs {
  readonly root: string;
  readonly stateDir: string;
  /** Where programs are noted while they run; a later engine ends what a killed one left. */
  readonly commandsDir: string;
  readonly place: SkillPlace;
  /** Where skills of others are, and which other hosts it may send a download on to. */
  readonly hub: Pick<HubParts, 'baseUrl' | 'hosts'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Vectors of texts, to order what a search finds; null: there are none now. Must not throw. Absent: words alone count. */
  readonly embed?: SlowEmbed | undefined;
}

const STORED_BYTES = 512 * 1024 * 1024;
const FETCH_MS = 300_000;

/** The skills of one repository, as an engine offers them. Throws UserError when the grants would lie in the repository. */
export const composeSkills = async (needs: Needs): Promise<SkillParts> => {
  const { root, place, clock, environment } = needs;
  const tempDir = join(needs.stateDir, 'tmp');
  const embed = needs.embed && embedInTime(clock, needs.embed);
  const spawn: SpawnBounded = (request, signal) => runFilter({ ...request, commandsDir: needs.commandsDir }, signal);
  const sandbox = await (place.findSandbox ?? findBubblewrap)({ spawn, node: place.node });
  const holds: ScriptHolds = { permissionModel: place.node.permissionModel, sandbox: sandbox !== null };
  const registry = await openSkills({ repository: root, clock, holds, ...place, ...(embed && { embed }) });
  const script = { spawn, node: place.node, sandbox, clock, tempDir, repository: root, environment };
  return {
    registry,
    drafts: openDrafts({ ...needs, holds }),
    run: (request, signal) => runScript(script, request, signal),
    holds,
    imports: importsOf(needs, registry, spawn, tempDir, holds),
  };
};

const importsOf = (
  needs: Needs,
  registry: SkillRegistry,
  spawn: SpawnBounded,
  tempDir: string,
  holds: ScriptHolds,
): NonNullable<SkillParts['imports']> => {
  const { clock, random, environment, root, stateDir, place } = needs;
  const limits = IMPORT_LIMITS;
  const fetchCommit = createFetchCommit({
    tempDir,
    baseDir: root,
    environment,
    clock,
    limits: { storedBytes: STORED_BYTES, timeoutMs: FETCH_MS },
  });
  const hub = createClawHub({
    ...needs.hub,
    fetch: (url, init) => fetch(url, init),
    clock,
    maxBytes: limits.totalBytes,
    limits,
    fetchCommit,
  });
  const importer = createImporter({
    stateDir,
    clock,
    random,
    limits,
    fetchCommit,
    hub,
    holds,
    langChain: { spawn, node: place.node, repository: root, tempDir, environment, limits },
    hides: (name) => hiddenBy(registry, stateDir, name),
  });
  return { importer, searchHub: (query, limit, signal) => hub.search(query, limit, signal) };
};

const hiddenBy = (registry: SkillRegistry, stateDir: string, name: string) => {
  const found = registry.list().find((skill) => skill.name === name && skill.state !== 'draft');
  return found && !found.folder.startsWith(join(stateDir, 'skills')) ? found.source : null;
};

/** As `composeSkills`; where the grants cannot be kept, null and the reason for the person. */
export const trySkills = async (
  needs: Needs,
): Promise<{ readonly parts: SkillParts | null; readonly notice: string | null }> => {
  try {
    return { parts: await composeSkills(needs), notice: null };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { parts: null, notice: `There are no skills: ${error.message}` };
  }
};
