import { UserError } from '../../domain/errors.ts';
import { EXIT } from './context.ts';
import type { Terminal } from './terminal.ts';

/** How a client starts `coppice mcp`. */
export interface StdioCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Shape {
  /** Where the text goes, for the person. */
  readonly file: string;
  text(how: StdioCommand): string;
}

const json = (value: unknown): string => JSON.stringify(value, null, 2);

/** The environment is left out where there is nothing to say. */
const entry = ({ command, args, env }: StdioCommand): Record<string, unknown> =>
  Object.keys(env).length === 0 ? { command, args } : { command, args, env };

/** TOML's basic strings escape as JSON's do, but for the one character that JSON leaves alone. */
const toml = (text: string): string => JSON.stringify(text).replaceAll('\u007f', '\\u007f');

const codex = ({ command, args, env }: StdioCommand): string => {
  const lines = ['[mcp_servers.coppice]', `command = ${toml(command)}`, `args = [${args.map(toml).join(', ')}]`];
  const pairs = Object.entries(env).map(([name, value]) => `${toml(name)} = ${toml(value)}`);
  if (pairs.length > 0) lines.push(`env = { ${pairs.join(', ')} }`);
  return lines.join('\n');
};

/** Each client's own form. */
const SHAPES: Readonly<Record<string, Shape>> = {
  vscode: {
    file: '.vscode/mcp.json (without the Coppice extension, which registers itself)',
    text: (how) => json({ servers: { coppice: { type: 'stdio', ...entry(how) } } }),
  },
  'claude-code': {
    file: '.mcp.json in the repository',
    text: (how) => json({ mcpServers: { coppice: { type: 'stdio', ...entry(how) } } }),
  },
  'claude-desktop': {
    file: 'claude_desktop_config.json (Settings, Developer, Edit Config)',
    text: (how) => json({ mcpServers: { coppice: entry(how) } }),
  },
  cursor: {
    file: '.cursor/mcp.json in the repository, or ~/.cursor/mcp.json',
    text: (how) => json({ mcpServers: { coppice: { type: 'stdio', ...entry(how) } } }),
  },
  codex: { file: '~/.codex/config.toml', text: codex },
  zed: {
    file: "Zed's settings.json (zed: open settings file)",
    text: (how) => json({ context_servers: { coppice: { command: how.command, args: how.args, env: how.env } } }),
  },
  generic: {
    file: "your client's MCP configuration",
    text: (how) => json({ mcpServers: { coppice: entry(how) } }),
  },
};

/** The clients whose configuration can be printed. */
export const CLIENTS: readonly string[] = Object.keys(SHAPES);

/** What to write into a client's configuration. Throws UserError for a client that is not known. */
export const clientConfig = (client: string, how: StdioCommand): { readonly file: string; readonly text: string } => {
  const shape = Object.hasOwn(SHAPES, client) ? SHAPES[client] : undefined;
  if (!shape)
    throw new UserError('bad-input', `There is no configuration for "${client}". Known: ${CLIENTS.join(', ')}.`);
  return { file: shape.file, text: shape.text(how) };
};

/** `coppice mcp --print-config CLIENT`: the text alone on stdout, so that it can go into a file. */
export const printClientConfig = (terminal: Terminal, client: string, how: StdioCommand): number => {
  const { file, text } = clientConfig(client, how);
  terminal.print(text);
  terminal.warn(`Add this to ${file}.`);
  return EXIT.ok;
};
