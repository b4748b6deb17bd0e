import type { McpServer, RequestStateCodec } from '@modelcontextprotocol/server';
import type { SkillSource, SkillsExtension } from '@modelcontextprotocol/server/ext/skills';
import type { Engine } from '../../engine/facade.ts';
import type { Operation } from '../../operations/define.ts';
import type { Scope } from '../http/scopes.ts';
import type { Approvals, AskState } from './approvals.ts';
import type { Changes } from './changes.ts';
import type { PromptSource } from './prompts.ts';
import type { Followed } from './resources.ts';
import type { Skills } from './skill-source.ts';

/** What all MCP servers of one engine share. */
export interface McpCore {
  readonly engine: Engine;
  readonly version: string;
  readonly operations: readonly Operation[];
  readonly skills:
    | { readonly registry: Skills; readonly source: SkillSource; readonly extension: SkillsExtension }
    | undefined;
  readonly prompts: PromptSource;
  readonly approvals: Approvals | undefined;
  readonly codec: RequestStateCodec<AskState>;
  readonly changes: Changes;
  /** Runs a skill by name; what it returns is the tool's structured result. */
  runSkill?:
    | ((name: string, input: Record<string, unknown>, signal: AbortSignal) => Promise<Record<string, unknown>>)
    | undefined;
  /** For tests only: registers more on each server. */
  extend?: ((server: McpServer, codec: RequestStateCodec<AskState>) => void) | undefined;
  log(line: string): void;
}

/** Who is on the other side of one server. */
export interface Caller {
  readonly scope: Scope;
  /** Aborts when the client will ask nothing more; operations that only wait then answer at once. */
  readonly ending: AbortSignal;
  /** What the client wants to hear of; null: the server lives for one request and tells of no changes. */
  readonly followed: Followed | null;
}
