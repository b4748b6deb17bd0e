import { type CallToolResult, McpServer, type ServerContext } from '@modelcontextprotocol/server';
import { messageOf, UserError } from '../../domain/errors.ts';
import type { Engine } from '../../engine/facade.ts';
import type { Operation } from '../../operations/define.ts';
import { operations } from '../../operations/table.ts';
import { ERROR_META } from '../host/control.ts';
import { reportProgress } from './progress.ts';

/** What a connection's server is made of. */
export interface McpServerParts {
  readonly engine: Engine;
  readonly version: string;
  /** Aborts when the client will ask nothing more; operations that only wait then answer at once. */
  readonly ending: AbortSignal;
  log(line: string): void;
}

const INSTRUCTIONS =
  'Coppice grows one task into a hierarchy of agents on a local model, each in its own git worktree and inside a token ' +
  'budget. Start with run_start, follow with run_wait or events, look with review_diff, and merge with review_land.';

/** An MCP server with one tool for each operation; it serves both protocol eras. */
export const createMcpServer = (parts: McpServerParts): McpServer => {
  const server = new McpServer(
    { name: 'coppice', title: 'Coppice', version: parts.version },
    { capabilities: { tools: {} }, instructions: INSTRUCTIONS },
  );
  for (const operation of operations) {
    server.registerTool(
      operation.name,
      {
        title: operation.title,
        description: operation.description,
        inputSchema: operation.input,
        outputSchema: operation.output,
        annotations: annotationsOf(operation),
      },
      (input: Record<string, unknown>, context: ServerContext) => call(operation, parts, input, context),
    );
  }
  return server;
};

const annotationsOf = (operation: Operation) => ({
  title: operation.title,
  readOnlyHint: operation.effect === 'reads',
  destructiveHint: operation.effect === 'destroys',
  idempotentHint: operation.idempotent,
  openWorldHint: false,
});

const call = async (
  operation: Operation,
  parts: McpServerParts,
  input: Record<string, unknown>,
  context: ServerContext,
): Promise<CallToolResult> => {
  const signal = AbortSignal.any([context.mcpReq.signal, parts.ending]);
  const stopProgress = operation.name === 'run_wait' ? reportProgress(parts.engine, input, context) : () => {};
  try {
    const output = await operation.handle(parts.engine, input, signal);
    // Parsing drops what the schema does not name, so that strict clients accept every answer.
    return succeeded(operation.output.parse(output));
  } catch (error) {
    return failed(operation, parts, error);
  } finally {
    stopProgress();
  }
};

const succeeded = (output: Record<string, unknown>): CallToolResult => ({
  content: [{ type: 'text', text: JSON.stringify(output) }],
  structuredContent: output,
});

const failed = (operation: Operation, parts: McpServerParts, error: unknown): CallToolResult => {
  if (error instanceof UserError) return errorResult(error.code, error.message);
  parts.log(`${operation.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}`);
  return errorResult('internal', 'Internal error in Coppice; the engine log has the details.');
};

/** Beside the text for programs; not as structured content, which older clients check against the tool's schema. */
const errorResult = (code: string, message: string): CallToolResult => ({
  isError: true,
  content: [{ type: 'text', text: `${message} (${code})` }],
  _meta: { [ERROR_META]: { code, message } },
});
