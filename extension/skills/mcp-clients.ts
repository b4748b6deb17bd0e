/** The clients that `coppice mcp --print-config` knows (a test compares them), in words. */
export const MCP_CLIENTS = [
  { client: 'vscode', label: 'VS Code', detail: 'Without this extension, which registers itself' },
  { client: 'claude-code', label: 'Claude Code', detail: '.mcp.json in the repository' },
  { client: 'claude-desktop', label: 'Claude Desktop', detail: 'claude_desktop_config.json' },
  { client: 'cursor', label: 'Cursor', detail: '.cursor/mcp.json' },
  { client: 'codex', label: 'Codex', detail: '~/.codex/config.toml' },
  { client: 'zed', label: 'Zed', detail: 'settings.json' },
  { client: 'generic', label: 'Another client', detail: 'The form that most clients read' },
] as const;
