import {
  type CallToolResult,
  fromJsonSchema,
  type InputRequiredResult,
  type McpServer,
  type RegisteredTool,
  type ServerContext,
  type StandardSchemaWithJSON,
} from '@modelcontextprotocol/server';
import { type Approval, ApprovalNeeded } from '../../domain/approval.ts';
import { messageOf, traceOf, UserError } from '../../domain/errors.ts';
import { withoutPatterns } from '../../domain/json-schema.ts';
import type { Operation } from '../../operations/define.ts';
import type { SkillSummary } from '../../skills/port.ts';
import { ERROR_META } from '../host/control.ts';
import { includes, refusalOf, scopeOf } from '../http/scopes.ts';
import { askFor, canAsk, takeAnswer } from './approvals.ts';
import type { Caller, McpCore } from './core.ts';
import { iconsOf } from './icons.ts';
import { reportElapsed, reportProgress } from './progress.ts';
import { isUsable } from './skill-source.ts';

type Answer = CallToolResult | InputRequiredResult;

/** One tool for each operation that the caller may use. */
export const registerOperations = (server: McpServer, core: McpCore, caller: Caller): void => {
  for (const operation of core.operations) {
    if (!includes(caller.scope, scopeOf(operation))) continue;
    server.registerTool(
      operation.name,
      {
        title: operation.title,
        description: operation.description,
        inputSchema: operation.input,
        outputSchema: operation.output,
        icons: iconsOf(operation.name),
        annotations: {
          title: operation.title,
          readOnlyHint: operation.effect === 'reads',
          destructiveHint: operation.effect === 'destroys',
          idempotentHint: operation.idempotent,
          openWorldHint: operation.openWorld === true,
        },
      },
      (input: Record<string, unknown>, context: ServerContext) =>
        callOperation({ server, core, caller, context }, operation, input),
    );
  }
};

interface Call {
  readonly server: McpServer;
  readonly core: McpCore;
  readonly caller: Caller;
  readonly context: ServerContext;
}

const callOperation = async (call: Call, operation: Operation, input: Record<string, unknown>): Promise<Answer> => {
  const { core, caller, context } = call;
  const refusal = refusalOf(caller.scope, operation, input);
  if (refusal) return errorResult('permission-denied', refusal.message);
  const stop =
    operation.name === 'run_wait'
      ? reportProgress(core.engine, input, context)
      : reportElapsed(operation.title, context, LONG.has(operation.name));
  const work = async (signal: AbortSignal): Promise<CallToolResult> =>
    // Parsing drops what the schema does not name, so that strict clients accept every answer.
    succeeded(operation.output.parse(await operation.handle(core.engine, input, signal)));
  try {
    return await withApprovals(call, operation.name, operation.name === 'run_wait' ? String(input['run']) : null, work);
  } finally {
    stop();
  }
};

/** Operations that work for a while before they answer. */
const LONG: ReadonlySet<string> = new Set(['skill_run', 'skill_import', 'setup_check', 'plan_create']);

/** Does the work; what waits for a person's word meanwhile is asked where the client can ask and may decide. */
const withApprovals = async (
  call: Call,
  name: string,
  run: string | null,
  work: (signal: AbortSignal) => Promise<CallToolResult>,
): Promise<Answer> => {
  const { core, caller, context, server } = call;
  const { approvals } = core;
  const signal = AbortSignal.any([context.mcpReq.signal, caller.ending]);
  const asks = approvals !== undefined && includes(caller.scope, 'land') && canAsk(server.server, context);
  try {
    const seen = asks ? await takeAnswer(approvals, context) : [];
    const ask = (approval: Approval): Promise<InputRequiredResult> => askFor(core.codec, approval, seen, context);
    try {
      const first = asks && run !== null ? await firstOf(work, (s) => approvals.next?.(run, seen, s), signal) : null;
      return first === null ? await work(signal) : 'approval' in first ? await ask(first.approval) : first.result;
    } catch (error) {
      if (asks && error instanceof ApprovalNeeded && !seen.includes(error.approval.id))
        return await ask(error.approval);
      throw error;
    }
  } catch (error) {
    return failed(name, core, error);
  }
};

/** The work's result, or an approval that comes up while the work only waits. */
const firstOf = async (
  work: (signal: AbortSignal) => Promise<CallToolResult>,
  next: (signal: AbortSignal) => Promise<Approval | null> | undefined,
  signal: AbortSignal,
): Promise<{ result: CallToolResult } | { approval: Approval }> => {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  type First = { result: CallToolResult } | { approval: Approval };
  const result = work(both).then((answer): First => ({ result: answer }));
  const approval = (next(both) ?? Promise.resolve(null)).then((found): First | Promise<First> =>
    found ? { approval: found } : result,
  );
  try {
    return await Promise.race([result, approval]);
  } finally {
    over.abort();
    // Whichever came second ends by the signal; nobody asks how.
    void Promise.allSettled([result, approval]);
  }
};

/** Tools of pinned skills. The returned function brings them up to date after a change. */
export const registerPinned = (server: McpServer, core: McpCore, caller: Caller): (() => void) => {
  const registered = new Map<string, { key: string; tool: RegisteredTool }>();
  const update = (): void => {
    const wanted = new Map(pinnedFor(core, caller).map((skill) => [toolName(skill, core), skill]));
    for (const [name, { key, tool }] of registered) {
      const skill = wanted.get(name);
      if (skill && keyOf(skill) === key) continue;
      tool.remove();
      registered.delete(name);
    }
    for (const [name, skill] of wanted)
      if (!registered.has(name))
        registered.set(name, { key: keyOf(skill), tool: registerSkill({ server, core, caller }, name, skill) });
  };
  update();
  return update;
};

const pinnedFor = (core: McpCore, caller: Caller): readonly SkillSummary[] =>
  core.skills && core.runSkill && includes(caller.scope, 'skills')
    ? core.skills.registry.pinned().filter(isUsable)
    : [];

const keyOf = (skill: SkillSummary): string => `${skill.hash} ${skill.state} ${skill.description}`;

/** `skill_<name>`, but for a skill whose name would be taken for an operation. */
const toolName = (skill: SkillSummary, core: McpCore): string =>
  core.operations.some(({ name }) => name === `skill_${skill.name}`)
    ? `skill_${skill.name}_skill`
    : `skill_${skill.name}`;

const TASK = {
  type: 'object',
  properties: { task: { type: 'string', description: 'What to apply the skill to, in plain words.' } },
  required: ['task'],
  additionalProperties: false,
} as const;

const registerSkill = (call: Omit<Call, 'context'>, name: string, skill: SkillSummary): RegisteredTool => {
  const { permissions } = skill.manifest;
  const contained = skill.kind === 'script' && permissions.write.length + permissions.commands.length === 0;
  return call.server.registerTool(
    name,
    {
      title: skill.name,
      description: skill.description,
      inputSchema: inputOf(skill, call.core),
      icons: iconsOf('skill'),
      annotations: {
        title: skill.name,
        readOnlyHint: contained,
        // An agent works on a branch of its own; a script that may write or run programs works on what is there.
        destructiveHint: skill.kind === 'script' && !contained,
        idempotentHint: false,
        openWorldHint: permissions.hosts.length > 0,
      },
      _meta: { 'coppice/skill': skill.name },
    },
    async (input: unknown, context: ServerContext) => {
      const stop = reportElapsed(`Skill ${skill.name}`, context, true);
      try {
        return await withApprovals({ ...call, context }, name, null, async (signal) => {
          const outcome = await call.core.runSkill?.(skill.name, (input ?? {}) as Record<string, unknown>, signal);
          return succeeded(outcome ?? {});
        });
      } finally {
        stop();
      }
    },
  );
};

const inputOf = (skill: SkillSummary, core: McpCore): StandardSchemaWithJSON<unknown, unknown> => {
  const own = skill.manifest.input;
  const anything = { type: 'object' } as const;
  if (own === null || own['type'] !== 'object') return fromJsonSchema(skill.kind === 'script' ? anything : TASK);
  try {
    return fromJsonSchema(withoutPatterns(own));
  } catch (error) {
    core.log(`skill ${skill.name}: its input schema cannot be used: ${messageOf(error)}`);
    return fromJsonSchema(anything);
  }
};

const succeeded = (output: Record<string, unknown>): CallToolResult => ({
  content: [{ type: 'text', text: JSON.stringify(output) }],
  structuredContent: output,
});

const failed = (name: string, core: McpCore, error: unknown): CallToolResult => {
  if (error instanceof UserError) return errorResult(error.code, error.message);
  core.log(`${name} failed: ${traceOf(error)}`);
  return errorResult('internal', 'Internal error in Coppice; the engine log has the details.');
};

/** Beside the text for programs; not as structured content, which older clients check against the tool's schema. */
const errorResult = (code: string, message: string): CallToolResult => ({
  isError: true,
  content: [{ type: 'text', text: `${message} (${code})` }],
  _meta: { [ERROR_META]: { code, message } },
});
