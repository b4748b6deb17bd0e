import type { Socket } from 'node:net';
import type { McpServer, RequestStateCodec } from '@modelcontextprotocol/server';
import { SkillsExtension } from '@modelcontextprotocol/server/ext/skills';
import { type Clock, systemClock } from '../../domain/clock.ts';
import type { Engine } from '../../engine/facade.ts';
import type { Operation } from '../../operations/define.ts';
import { operations as table } from '../../operations/table.ts';
import type { ControlHandler } from '../host/control.ts';
import { type Approvals, type AskState, createAskCodec } from './approvals.ts';
import { type ListSource, openChanges } from './changes.ts';
import { serveConnection } from './connection.ts';
import type { McpCore } from './core.ts';
import type { McpHttp } from './http.ts';
import { joinPrompts, ownPrompts, type PromptSource, skillPrompts } from './prompts.ts';
import { type Skills, skillSource } from './skill-source.ts';

/** What the MCP face of one engine is made of; what is left out is not offered. */
export interface McpFaceParts {
  readonly engine: Engine;
  readonly version: string;
  readonly skills?: Skills | undefined;
  /** Prompts besides Coppice's own and the skills: workflows. */
  readonly prompts?: PromptSource | undefined;
  readonly approvals?: Approvals | undefined;
  /** Runs a skill by name; what it returns is the tool's structured result. Throws UserError and ApprovalNeeded. */
  readonly runSkill?: McpCore['runSkill'];
  /** The table of operations, unless a test brings its own. */
  readonly operations?: readonly Operation[] | undefined;
  readonly clock?: Clock | undefined;
  /** For tests only: registers more on each server. */
  readonly extend?: ((server: McpServer, codec: RequestStateCodec<AskState>) => void) | undefined;
  log(line: string): void;
}

/** MCP for one engine, however many clients there are. */
export interface McpFace {
  readonly engine: Engine;
  readonly version: string;
  readonly operations: readonly Operation[];
  /** Serves one connection of the private socket; returns how to end it. */
  serve(socket: Socket, control: ControlHandler): () => void;
  /** MCP on an HTTP server that has already told who asks. */
  openHttp(): Promise<McpHttp>;
  close(): void;
}

/** Makes the face. */
export const openMcpFace = (parts: McpFaceParts): McpFace => {
  const core = coreOf(parts);
  return {
    engine: core.engine,
    version: core.version,
    operations: core.operations,
    serve: (socket, control) => serveConnection(socket, core, control),
    // A tenth of an engine's start, which most engines never need.
    openHttp: async () => (await import('./http.ts')).openMcpHttp(core),
    close: () => core.changes.close(),
  };
};

const coreOf = (parts: McpFaceParts): McpCore => {
  const { engine, version, skills } = parts;
  const log = (line: string): void => parts.log(line);
  const prompts = joinPrompts(
    ownPrompts(engine),
    ...(parts.prompts ? [parts.prompts] : []),
    ...(skills ? [skillPrompts(skills)] : []),
  );
  // No list tells how often a skill was used.
  const listed = (listener: () => void) => skills?.onChange((change) => change === 'uses' || listener()) ?? (() => {});
  const sources: ListSource[] = skills ? [{ onChange: listed }] : [];
  const more = parts.prompts?.onChange?.bind(parts.prompts);
  if (more) sources.push({ onChange: more });
  return {
    engine,
    version,
    operations: parts.operations ?? table,
    skills: skills && skillsOf(skills, log),
    prompts,
    approvals: parts.approvals,
    codec: createAskCodec(),
    changes: openChanges({ engine, sources, clock: parts.clock ?? systemClock, log }),
    runSkill: parts.runSkill,
    extend: parts.extend,
    log,
  };
};

const skillsOf = (registry: Skills, log: (line: string) => void): NonNullable<McpCore['skills']> => {
  const source = skillSource(registry, log);
  const onWarning = ({ path, message }: { path: string; message: string }): void => log(`skill ${path}: ${message}`);
  return { registry, source, extension: new SkillsExtension({ source, onWarning }) };
};
