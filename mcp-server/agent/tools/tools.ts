import { z } from 'zod';
import { FencedError, messageOf, UserError } from '../../domain/errors.ts';
import { oneLine, truncate } from '../../domain/text.ts';
import type { ToolCall } from '../../domain/turn.ts';
import type { ToolSpec } from '../../inference/port.ts';
import type { Tool, ToolContext, ToolFacts, ToolResult } from '../tool.ts';
import { readArguments } from './arguments.ts';
import { runCommand } from './command.ts';
import { gitDiff } from './diff.ts';
import { editFile, listFiles, readFile, writeFile } from './files.ts';
import { orchestrate, orchestrateCancel, orchestrateStatus } from './orchestrate.ts';
import { searchFiles } from './search.ts';
import { draftSkill, skillSearch, useSkill } from './skills.ts';
import { splitStep } from './split-step.ts';
import { askPerson, delegate, finish, sendMessage } from './team.ts';

/** All tools, sorted by name: the order is part of the prompt. */
export const tools: readonly Tool[] = [
  askPerson,
  delegate,
  draftSkill,
  editFile,
  finish,
  gitDiff,
  listFiles,
  orchestrate,
  orchestrateCancel,
  orchestrateStatus,
  readFile,
  runCommand,
  searchFiles,
  sendMessage,
  skillSearch,
  splitStep,
  useSkill,
  writeFile,
] satisfies Tool[];

/** The tools of an agent; a function of its role, tier, depth and the run's options only. */
export const offeredTools = (facts: ToolFacts): Tool[] => tools.filter((tool) => tool.offered(facts));

/** None of the calls changes anything. */
export const areHarmless = (calls: readonly ToolCall[]): boolean =>
  calls.every((call) => tools.find(({ name }) => name === call.name)?.harmless === true);

const specs = new WeakMap<Tool, ToolSpec>();

/** The tool as a model is told of it; the same object each time. */
export const toSpec = (tool: Tool): ToolSpec => {
  const known = specs.get(tool);
  if (known) return known;
  const { $schema: _, ...parameters } = z.toJSONSchema(tool.input, {
    io: 'input',
    // The bounds of a safe integer say nothing, and make the server's grammar big.
    override: ({ jsonSchema }) => {
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  const spec: ToolSpec = { name: tool.name, description: tool.description, parameters };
  specs.set(tool, spec);
  return spec;
};

const failed = (output: string): ToolResult => ({ ok: false, output });

/** What a person sees while the call is under way: `read_file src/a.ts`. */
export const describeCall = (call: ToolCall): string => {
  const tool = tools.find((candidate) => candidate.name === call.name);
  const read = tool ? readArguments(tool.input, call.arguments) : undefined;
  return oneLine(tool && read?.ok ? tool.action(read.input) : call.name, 80);
};

/** How the tool is called, in one line: `read_file {"path": string, "from_line"?: integer}`. */
const usage = (tool: Tool): string => {
  const { properties = {}, required = [] } = toSpec(tool).parameters as {
    properties?: Record<string, { type?: string }>;
    required?: readonly string[];
  };
  const keys = Object.entries(properties).map(
    ([key, { type }]) => `"${key}"${required.includes(key) ? '' : '?'}: ${type ?? 'value'}`,
  );
  return `${tool.name} {${keys.join(', ')}}`;
};

const isStop = (error: unknown): boolean =>
  error instanceof FencedError || (error instanceof Error && error.name === 'AbortError');

/**
 * Runs one call of a model. Whatever is wrong becomes a result that says what to do. Throws only FencedError, and the
 * signal's reason when it is aborted.
 */
export const runTool = async (context: ToolContext, call: ToolCall, signal: AbortSignal): Promise<ToolResult> => {
  const offered = offeredTools(context);
  const tool = offered.find((candidate) => candidate.name === call.name);
  if (!tool) {
    const why = tools.some(({ name }) => name === call.name) ? 'You may not use' : 'There is no tool';
    return failed(
      `${why} ${oneLine(call.name, 60) || '(no name)'}. Your tools: ${offered.map(({ name }) => name).join(', ')}.`,
    );
  }
  const read = readArguments(tool.input, call.arguments);
  if (!read.ok) return failed(`${read.problem} Call it again like this: ${usage(tool)}`);
  try {
    signal.throwIfAborted();
    const result = await tool.run(context, read.input, signal);
    return { ...result, output: truncate(result.output, context.limits.outputChars + 500) };
  } catch (error) {
    if (isStop(error)) throw error;
    if (signal.aborted) throw signal.reason;
    const what = error instanceof UserError ? error.message : `${tool.name} failed: ${messageOf(error)}`;
    return failed(truncate(what, context.limits.outputChars));
  }
};
