// Stands in for dist/coppice.js: `fake-coppice.ts mcp --repo PATH` speaks MCP on stdio with the fake engine behind it.
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

const number = (name: string, byDefault: number): number => Number(process.env[name] ?? byDefault);
const isThere = (name: string): boolean => existsSync(process.env[name] ?? '');

const serve = async (): Promise<void> => {
  // Loaded only here: a test that asks for an engine forty times in vain should not wait for them.
  const { openMcpFace } = await import('../../mcp-server/faces/mcp/face.ts');
  const { FakeEngine } = await import('./fake-engine.ts');
  const fake = new FakeEngine({
    workers: number('COPPICE_FAKE_WORKERS', 12),
    perStep: number('COPPICE_FAKE_PER_STEP', 3),
    stepMs: number('COPPICE_FAKE_STEP_MS', 100),
    steps: number('COPPICE_FAKE_STEPS', 0),
  });
  if (isThere('COPPICE_FAKE_PLANNED')) fake.plan('Later');
  process.stdin.once('end', () => fake.stop());
  const face = openMcpFace({ engine: fake.engine(), version: '0.0.0', log: (line) => console.error(line) });
  const stdio = Duplex.from({ readable: process.stdin, writable: process.stdout });
  face.serve(stdio as unknown as Socket, async () => null);
};

if (isThere('COPPICE_FAKE_FAILS')) {
  console.error('This folder is not a git repository. Run "git init" there.');
  process.exitCode = 1;
} else if (process.argv[2] === 'mcp') void serve();
