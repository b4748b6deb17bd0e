// Stands in for dist/coppice.js: `fake-coppice.ts mcp --repo PATH` speaks MCP on stdio with the fake engine behind it.
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { createMcpServer } from '../../mcp-server/faces/mcp/server.ts';
import { FakeEngine } from './fake-engine.ts';

const number = (name: string, byDefault: number): number => Number(process.env[name] ?? byDefault);

if (process.env['COPPICE_FAKE_FAILS']) {
  console.error('This folder is not a git repository. Run "git init" there.');
  process.exit(1);
}
if (process.argv[2] === 'mcp') {
  const fake = new FakeEngine({
    workers: number('COPPICE_FAKE_WORKERS', 12),
    perStep: number('COPPICE_FAKE_PER_STEP', 3),
    stepMs: number('COPPICE_FAKE_STEP_MS', 100),
    steps: number('COPPICE_FAKE_STEPS', 0),
  });
  const ending = new AbortController();
  process.stdin.once('end', () => {
    ending.abort();
    fake.stop();
  });
  const parts = {
    engine: fake.engine(),
    version: '0.0.0',
    ending: ending.signal,
    log: (line: string) => console.error(line),
  };
  serveStdio(() => createMcpServer(parts));
}
