/** A skill as a search tells of it. */
export interface FoundSkill {
  readonly name: string;
  readonly line: string;
  readonly kind: 'instructions' | 'script';
}

/** What using a skill gives. */
export type UsedSkill =
  /** `input`: the JSON schema of what its script takes; null: it has no script, or takes anything. */
  | {
      readonly kind: 'read';
      readonly text: string;
      /** Its other files, which can be read too. */
      readonly files: readonly string[];
      readonly script: boolean;
      readonly input: Readonly<Record<string, unknown>> | null;
    }
  | { readonly kind: 'file'; readonly text: string }
  | { readonly kind: 'returned'; readonly output: unknown; readonly notes: string }
  | { readonly kind: 'failed'; readonly message: string; readonly notes: string };

/** A skill as an agent writes it. */
export interface NewDraft {
  readonly name: string;
  readonly description: string;
  /** Markdown below the front matter. */
  readonly instructions: string;
  /** JavaScript module: JSON on standard input, JSON on standard output. */
  readonly script: string | null;
  /** JavaScript module that ends with another status than 0 when something is wrong. */
  readonly tests: string | null;
  /** Globs that the script reads, relative to the repository. */
  readonly read: readonly string[];
}

/** The skills of one agent. Methods throw UserError for what the model can put right. */
export interface SkillDesk {
  /** Best first; only those that may be used. */
  search(query: string): Promise<readonly FoundSkill[]>;
  /** Reads a skill that the person trusts, or one of its files; counts as a use. */
  read(name: string, file: string | null): Promise<UsedSkill>;
  /** Runs the script of such a skill within what both the skill and the run are permitted. */
  run(name: string, input: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<UsedSkill>;
  /** Writes a draft, which nobody can use before a person approves it. Returns what is wrong with it, in words. */
  draft(draft: NewDraft): Promise<readonly string[]>;
}
