import type { Drafts } from '../skills/drafts/drafts.ts';
import type { ScriptHolds } from '../skills/execute/hold.ts';
import type { ScriptOutcome, ScriptRequest } from '../skills/execute/run-script.ts';
import type { HubSkill } from '../skills/imports/from-clawhub.ts';
import type { Importer } from '../skills/imports/import-skill.ts';
import type { SkillRegistry } from '../skills/port.ts';

/** What an engine needs to offer skills; whoever puts the program together hands it over and closes the registry. */
export interface SkillParts {
  readonly registry: SkillRegistry;
  readonly drafts: Drafts;
  /** Runs the script of a skill once, as `runScript` does. */
  run(request: ScriptRequest, signal: AbortSignal): Promise<ScriptOutcome>;
  /** What this machine holds scripts with. */
  readonly holds: ScriptHolds;
  /** Absent: nothing can be imported. */
  readonly imports?: {
    readonly importer: Importer;
    /** Best first. */
    searchHub(query: string, limit: number, signal: AbortSignal): Promise<readonly HubSkill[]>;
  };
}
