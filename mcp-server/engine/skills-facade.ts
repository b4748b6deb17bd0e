import type { Approval } from '../domain/approval.ts';
import type { RunId } from '../domain/ids.ts';
import type { RunState } from '../domain/transitions.ts';
import type { FileDifference } from '../skills/imports/bundle.ts';
import type { HubSkill } from '../skills/imports/from-clawhub.ts';
import type { ImportRequest, PreviewOutcome } from '../skills/imports/import-skill.ts';
import type { SkillDiagnostic, SkillHold, SkillPermissions, SkillState } from '../skills/port.ts';
import type { StartOptions } from './facade.ts';

export interface SkillView {
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly source: 'workspace' | 'home' | 'bundled' | 'draft';
  /** Absolute; null for those that come with Coppice, and for drafts. */
  readonly root: string | null;
  readonly state: SkillState;
  readonly kind: 'instructions' | 'script';
  /** Absolute. */
  readonly folder: string;
  readonly file: string;
  /** What trust is for. */
  readonly hash: string;
  /** Of its body, estimated. */
  readonly tokens: number;
  readonly pinned: boolean;
  readonly uses: number;
  readonly permissions: SkillPermissions;
  /** Tools of Coppice that it cannot do without. */
  readonly tools: readonly string[];
  /** What it may do once trusted, in words. */
  readonly may: readonly string[];
  /** What holds its script on this machine; null: it has none. */
  readonly hold: SkillHold | null;
  /** The same as a sentence. */
  readonly held: string | null;
}

export interface ImportedView {
  readonly name: string;
  /** Where from, in words. */
  readonly from: string;
  readonly kind: 'git' | 'clawhub' | 'langchain';
  /** Commit, version or `package@version`. */
  readonly pin: string;
  readonly state: 'as-imported' | 'changed-by-hand' | 'missing';
  readonly importedAt: string;
}

export interface SkillText {
  readonly skill: SkillView;
  readonly body: string;
  /** Its other files. */
  readonly files: readonly string[];
  /** JSON schemas of its manifest. */
  readonly input: Readonly<Record<string, unknown>> | null;
  readonly output: Readonly<Record<string, unknown>> | null;
}

export interface SkillProblem extends SkillDiagnostic {
  /** What a quick fix would do; null: a person has to think. */
  readonly fix: string | null;
  /** The whole text after the fix; null unless one file was asked for. */
  readonly fixed: string | null;
}

/** What running a skill gave. */
export interface SkillRun {
  readonly skill: string;
  readonly kind: 'instructions' | 'script';
  /** `running`: it goes on as the run; follow that. */
  readonly state: 'done' | 'failed' | 'running';
  readonly ok: boolean;
  /** What a script returned, or the JSON in an agent's report where the skill declares an output. */
  readonly result: unknown;
  readonly report: string | null;
  readonly error: string | null;
  readonly run: RunId | null;
  readonly runState: RunState | null;
  readonly filesChanged: number | null;
  readonly ms: number;
}

/** What to import. */
export type ImportAsked = ImportRequest;

/** What became of an import. Without a hash, and where something has to be chosen or agreed to, nothing was installed. */
export type ImportResult =
  /** `text`: all of it, as a person reads it. `asks`: what it would be granted, in words, and what holds its script to that. */
  | (Extract<PreviewOutcome, { kind: 'preview' }> & {
      readonly text: string;
      readonly asks: readonly string[];
      readonly held: string | null;
    })
  | Exclude<PreviewOutcome, { kind: 'preview' }>
  | { readonly kind: 'installed'; readonly skill: ImportedView; readonly hash: string; readonly folder: string };

export interface DraftView {
  readonly name: string;
  readonly description: string;
  readonly folder: string;
  readonly hash: string;
  readonly kind: 'instructions' | 'script';
  readonly tokens: number;
  readonly files: readonly string[];
  readonly may: readonly string[];
  readonly hold: SkillHold | null;
  readonly held: string | null;
  /** Who wrote it; null: that is not known. */
  readonly run: string | null;
  readonly agent: string | null;
  /** A skill of this name is there already; the draft would take its place. */
  readonly replaces: SkillView['source'] | null;
  readonly problems: readonly SkillDiagnostic[];
}

export interface DraftFile {
  readonly path: string;
  readonly status: 'added' | 'changed' | 'removed' | 'same';
  /** Null: it is not there, or no text. */
  readonly before: string | null;
  readonly after: string | null;
}

export interface DraftReview {
  readonly draft: DraftView;
  readonly files: readonly DraftFile[];
  readonly patch: string;
  /** In words: what it may do and the present one may not. */
  readonly asksMore: readonly string[];
}

export interface DraftTest {
  readonly name: string;
  readonly ok: boolean;
  readonly tests: readonly {
    readonly file: string;
    readonly ok: boolean;
    readonly message: string;
    readonly ms: number;
  }[];
  readonly problems: readonly SkillDiagnostic[];
}

/** What a face may ask about skills. All methods throw UserError where there are none. */
export interface SkillsFacade {
  /** Sorted by name, drafts included; and what was imported. */
  listSkills(): Promise<{ readonly skills: readonly SkillView[]; readonly imported: readonly ImportedView[] }>;
  /** Best first. */
  searchSkills(input: { readonly query: string; readonly limit: number }): Promise<readonly SkillView[]>;
  readSkill(name: string): Promise<SkillText>;
  /** Null: no such file, or no text, or the skill needs a review: of that one only the instructions are read. */
  readSkillFile(input: { readonly name: string; readonly path: string }): Promise<string | null>;
  /**
   * Runs a script, or an agent with the skill's instructions, and waits up to `waitMs` for that. Throws ApprovalNeeded
   * when the person has not trusted it. When `signal` aborts, the script is ended and the run is cancelled.
   */
  runSkill(
    input: {
      readonly name: string;
      readonly input: unknown;
      readonly waitMs: number;
      readonly options?: StartOptions | undefined;
      readonly key?: string | undefined;
    },
    signal: AbortSignal,
  ): Promise<SkillRun>;
  pinSkill(input: { readonly name: string; readonly pinned: boolean }): Promise<SkillView>;
  /** `hash`: of the content that the person has looked at. `unconfined`: they know that nothing holds its script. */
  trustSkill(input: {
    readonly name: string;
    readonly hash: string;
    readonly unconfined?: boolean | undefined;
  }): Promise<SkillView>;
  distrustSkill(name: string): Promise<SkillView>;
  /** All problems, of one skill, or of one file with the text that a quick fix would make of it; `text`: as if the file held it. */
  checkSkills(of: {
    readonly name?: string | undefined;
    readonly file?: string | undefined;
    readonly text?: string | undefined;
  }): Promise<readonly SkillProblem[]>;
  /** Without `hash` it only looks. */
  importSkill(
    input: { readonly request: ImportAsked; readonly hash: string | null; readonly replaceChanged: boolean },
    signal: AbortSignal,
  ): Promise<ImportResult>;
  updateSkill(
    input: {
      readonly name: string;
      readonly agreed: boolean;
      readonly hash: string | null;
      readonly replaceChanged: boolean;
    },
    signal: AbortSignal,
  ): Promise<ImportResult>;
  removeSkill(input: {
    readonly name: string;
    readonly evenIfChanged: boolean;
  }): Promise<{ readonly movedTo: string | null; readonly changes: FileDifference }>;
  searchHub(
    input: { readonly query: string; readonly limit: number },
    signal: AbortSignal,
  ): Promise<readonly HubSkill[]>;
  /** Writes a template below `.coppice/skills`, or `.agents/skills` for one that is shared through git. */
  newSkill(input: {
    readonly name: string;
    readonly description: string;
    readonly kind: 'instructions' | 'script';
    readonly shared: boolean;
  }): Promise<{ readonly file: string }>;
  listDrafts(): Promise<readonly DraftView[]>;
  reviewDraft(name: string): Promise<DraftReview>;
  /** Runs the draft's tests, each in a copy that can reach nothing else. */
  testDraft(name: string, signal: AbortSignal): Promise<DraftTest>;
  /** It becomes a skill of this repository, trusted for this content; one of the same name is kept aside. */
  approveDraft(input: { readonly name: string; readonly hash: string }): Promise<SkillView>;
  discardDraft(name: string): Promise<{ readonly movedTo: string }>;
  /** What the person answered to an approval that `runSkill` or an agent asked for. */
  decideSkillApproval(id: string, approved: boolean): Promise<void>;
  /** What an agent of the run waits for and is not among `seen`, now or later; null when `signal` aborts first. */
  nextSkillApproval(run: RunId, seen: readonly string[], signal: AbortSignal): Promise<Approval | null>;
}
