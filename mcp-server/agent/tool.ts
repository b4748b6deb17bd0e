import type { z } from 'zod';
import type { Agent } from '../domain/agent.ts';
import type { Pattern, ProposedStep } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import type { Tree, WritableTree } from '../worktrees/port.ts';
import type { SkillDesk } from './skill-desk.ts';

/** `whole`: done, and nothing is left of the task; in a last turn, `done` is what was done so far. */
export type FinishOutcome = 'done' | 'whole' | 'nothing' | 'blocked';

/** What a tool asks of the hierarchy. The engine carries it out in the transaction that ends the turn, exactly once. */
export type Effect =
  | { readonly kind: 'delegate'; readonly task: string; readonly role: string; readonly tokens: number | null }
  | { readonly kind: 'split'; readonly steps: readonly ProposedStep[]; readonly pattern: Pattern | null }
  | { readonly kind: 'orchestrate'; readonly task: string; readonly tokens: number | null; readonly wait: boolean }
  /** `id` null: the newest one of the agent. */
  | { readonly kind: 'nested-status'; readonly id: string | null; readonly wait: boolean }
  | { readonly kind: 'nested-cancel'; readonly id: string | null }
  /** `to`: an agent's id or name in this run, `parent`, or `person`. */
  | { readonly kind: 'send'; readonly to: string; readonly body: string }
  | { readonly kind: 'ask'; readonly question: string }
  | { readonly kind: 'finish'; readonly report: string; readonly outcome: FinishOutcome };

export interface ToolResult {
  readonly ok: boolean;
  /** What the model reads. Already cut to `limits.outputChars`. */
  readonly output: string;
  readonly effect?: Effect;
}

/** What decides whether a tool is offered; the same for every turn of an agent, so that its prompt stays the same. */
export interface ToolFacts {
  readonly agent: Pick<Agent, 'tier' | 'role' | 'depth' | 'server' | 'model' | 'permissions'>;
  readonly run: Run;
}

export interface ToolContext extends ToolFacts {
  readonly agent: Agent;
  /** The agent's worktree if it has one, else the commit that its branch is at. */
  tree(): Promise<Tree>;
  /** Leases the worktree at the first use. */
  writable(): Promise<WritableTree>;
  /** What the agent must read before the result in hand, said once; null or absent: nothing. */
  takeNotice?(): string | null;
  /** Absolute path of the leased worktree, to run commands in. */
  folder(): Promise<string>;
  /** Unified diff of all that this agent changed so far; `path` limits it. */
  diff(path: string | undefined): Promise<string>;
  readonly limits: { readonly outputChars: number };
  /** Allow-listed environment for commands. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where commands are noted while they run, so that a later engine can end what a killed one left; null: nowhere. */
  readonly commandsDir: string | null;
  /** Null: there are no skills. */
  readonly skills: SkillDesk | null;
}

/** A function that a model may call, as data. */
export interface Tool<I extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly description: string;
  readonly input: I;
  /** Running it changes nothing: no file, no program, no git object. What it asks for is an effect. */
  readonly harmless?: true;
  offered(facts: ToolFacts): boolean;
  /** For the tree: `read_file src/a.ts`. */
  action(input: z.infer<I>): string;
  /** Throws UserError for what the model can put right; that becomes a result with ok: false. */
  run(context: ToolContext, input: z.infer<I>, signal: AbortSignal): Promise<ToolResult>;
}

/** Gives the declaration its types; changes nothing. */
export const defineTool = <I extends z.ZodObject>(tool: Tool<I>): Tool<I> => tool;
