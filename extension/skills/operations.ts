import type { z } from 'zod';
import type {
  draftReview,
  draftTest,
  draftView,
  hubSkill,
  importedView,
  importPreview,
  importResult,
  removed,
  skillLine,
  skillProblem,
  skillRun,
  skillText,
  skillView,
} from '../../mcp-server/operations/skill-views.ts';
import type { startOptions } from '../../mcp-server/operations/start-options.ts';

export type SkillView = z.infer<typeof skillView>;
export type SkillLine = z.infer<typeof skillLine>;
export type SkillText = z.infer<typeof skillText>;
export type SkillProblem = z.infer<typeof skillProblem>;
export type SkillRun = z.infer<typeof skillRun>;
export type ImportedView = z.infer<typeof importedView>;
export type ImportPreview = z.infer<typeof importPreview>;
export type ImportResult = z.infer<typeof importResult>;
export type DraftView = z.infer<typeof draftView>;
export type DraftReview = z.infer<typeof draftReview>;
export type DraftTest = z.infer<typeof draftTest>;
export type HubSkill = z.infer<typeof hubSkill>;

/** What `skill_import` takes; without `hash` it only looks. */
export type ImportInput = {
  readonly kind: 'git' | 'clawhub' | 'langchain';
  readonly url?: string;
  readonly ref?: string;
  readonly path?: string;
  readonly slug?: string;
  readonly version?: string;
  readonly spec?: string;
  readonly agreed?: boolean;
  readonly name?: string;
  readonly hash?: string;
  readonly replaceChanged?: boolean;
};

type Named = { readonly name: string };

/** The operations on skills that the editor calls, with their inputs and outputs. */
export interface SkillOperations {
  skill_list: {
    input: { after?: string; limit: number };
    output: { skills: SkillView[]; total: number; next: string | null; imported: ImportedView[] };
  };
  skill_search: { input: { query: string; limit: number }; output: { skills: SkillLine[] } };
  skill_read: { input: Named & { file?: string }; output: SkillText & { text: string | null } };
  skill_run: {
    input: Named & {
      input?: string | Record<string, unknown>;
      seconds: number;
      options?: z.infer<typeof startOptions>;
      key: string;
    };
    output: SkillRun;
  };
  skill_pin: { input: Named & { pinned: boolean }; output: SkillView };
  skill_trust: { input: Named & { hash: string; unconfined: boolean }; output: SkillView };
  skill_distrust: { input: Named; output: SkillView };
  skill_check: {
    input: { name?: string; file?: string; text?: string };
    output: { ok: boolean; problems: SkillProblem[] };
  };
  skill_new: {
    input: Named & { description: string; kind: 'instructions' | 'script'; shared: boolean };
    output: { file: string };
  };
  skill_import: { input: ImportInput; output: ImportResult };
  skill_update: {
    input: Named & { hash?: string; agreed?: boolean; replaceChanged?: boolean };
    output: ImportResult;
  };
  skill_remove: { input: Named & { evenIfChanged: boolean }; output: z.infer<typeof removed> };
  skill_hub: { input: { query: string; limit: number }; output: { skills: HubSkill[] } };
  skill_drafts: { input: Record<string, never>; output: { drafts: DraftView[] } };
  skill_draft_review: { input: Named; output: DraftReview };
  skill_draft_test: { input: Named; output: DraftTest };
  skill_draft_approve: { input: Named & { hash: string }; output: SkillView };
  skill_draft_discard: { input: Named; output: { movedTo: string } };
}
