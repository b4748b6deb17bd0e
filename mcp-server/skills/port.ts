/** Where a skill was found; the nearer one wins. */
export type SkillSource =
  | { readonly kind: 'workspace' | 'home'; readonly root: string }
  | { readonly kind: 'bundled' }
  /** Written by an agent; nobody else can use it until a person approves it. */
  | { readonly kind: 'draft' };

/**
 * Zero-based, as editors count; without a column it is about the whole line. `file` is absolute. `code` is stable: quick
 * fixes go by it.
 */
export interface SkillDiagnostic {
  readonly file: string;
  readonly line: number;
  /** In units of UTF-16; with it come the line and the column where the finding ends. */
  readonly column?: number | undefined;
  readonly endLine?: number | undefined;
  readonly endColumn?: number | undefined;
  readonly severity: 'error' | 'warning' | 'hint';
  readonly code: string;
  readonly message: string;
}

/** What a skill asks for in its manifest, and never has unless a person granted it for this content. */
export interface SkillPermissions {
  /** Globs relative to the repository that it reads; `write` those that it changes. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Programs (argv[0]) that it runs. */
  readonly commands: readonly string[];
  /** Network hosts. */
  readonly hosts: readonly string[];
}

/** manifest.json, read and checked. JSON schemas are passed on as they are. */
export interface SkillManifest {
  /** Names of Coppice's tools that it cannot do without. */
  readonly tools: readonly string[];
  readonly permissions: SkillPermissions;
  /** Relative to the skill's folder; null: an instruction skill. */
  readonly entry: string | null;
  readonly input: Readonly<Record<string, unknown>> | null;
  readonly output: Readonly<Record<string, unknown>> | null;
  /** Bounds of one execution of its script, ms. */
  readonly timeoutMs: number;
}

/** `bundled` and `trusted` may be used; `needs-review` only its instructions may be read; `error` cannot be used at all. */
export type SkillState = 'bundled' | 'trusted' | 'needs-review' | 'draft' | 'error';

/**
 * What holds a script on this machine to what its manifest declares: Node's permission model; a sandbox, which cannot tell
 * one host from another; or nothing.
 */
export type SkillHold = 'node' | 'sandbox' | 'nothing';

/** All that is known of a skill without its body. */
export interface SkillSummary {
  /** Of its folder; unique among the skills that win. */
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly source: SkillSource;
  readonly state: SkillState;
  /** `instructions`: run by an agent. `script`: run as a program. */
  readonly kind: 'instructions' | 'script';
  /** Absolute path of its folder. */
  readonly folder: string;
  /** Absolute path of its SKILL.md (or skill.md). */
  readonly file: string;
  /** sha256 over all of its files, in hex: what a grant is for. */
  readonly hash: string;
  /** Of its body, estimated. */
  readonly tokens: number;
  readonly manifest: SkillManifest;
  /** Null: it has no script. */
  readonly hold: SkillHold | null;
  /** The person has granted its present content all that they can do themselves, because nothing holds its script. */
  readonly unconfined: boolean;
  readonly pinned: boolean;
  readonly uses: number;
}

export interface Skill extends SkillSummary {
  /** The Markdown below the front matter. */
  readonly body: string;
  /** Front matter as it was read; verbatim values. */
  readonly frontmatter: Readonly<Record<string, unknown>>;
  /** Relative paths of its other files, sorted. */
  readonly files: readonly string[];
}

export interface SkillHit {
  readonly skill: SkillSummary;
  /** Higher is better; only comparable within one search. */
  readonly score: number;
}

/** What has changed: the skills and what is wrong with them, or only how often they were used. */
export type SkillChange = 'skills' | 'uses';

/** The skills of one repository, as they are on disk now. Bodies are read when they are asked for. */
export interface SkillRegistry {
  /** Sorted by name. Winners only; drafts and skills with errors included. */
  list(): readonly SkillSummary[];
  diagnostics(): readonly SkillDiagnostic[];
  /** Undefined: there is none of this name. */
  read(name: string): Promise<Skill | undefined>;
  /** One of a skill's own files; undefined when there is none, it lies outside of the folder, or is reached by a link. */
  readFile(name: string, path: string): Promise<Uint8Array | undefined>;
  /** Best first. Drafts and skills with errors are left out. */
  search(query: string, limit: number): Promise<readonly SkillHit[]>;
  /** Pinned skills by name: those whose names agents' prompts carry. */
  pinned(): readonly SkillSummary[];
  pin(name: string, pinned: boolean): Promise<void>;
  /**
   * The person grants what the manifest asks for, for this content only. Throws UserError when the hash is not the current
   * one, and when nothing holds the script and the person does not grant just that: `unconfined`, all that they can do.
   */
  trust(name: string, hash: string, grant?: { readonly unconfined: boolean }): Promise<void>;
  /** Takes a grant back. */
  distrust(name: string): Promise<void>;
  noteUse(name: string): Promise<void>;
  /** Reads everything again; resolves when that is done. */
  reload(): Promise<void>;
  /** After any change of the list. Returns how to stop. */
  onChange(listener: (change: SkillChange) => void): () => void;
  close(): Promise<void>;
}
