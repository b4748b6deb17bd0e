import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { testEnvironment } from './test-environment.ts';

/** The quick gate: format, lint, types, import rules and cycles, dead code, unit tests. */
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const env = testEnvironment(process.env);
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const first: readonly Step[] = [
  { name: 'format', command: [bin('biome'), 'check', '--error-on-warnings', '.'] },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'types', command: [bin('tsc'), '--noEmit', '-p', '.'] },
  { name: 'imports', command: [process.execPath, join(root, '.tools/imports.ts')] },
  { name: 'dead code', command: [bin('knip'), '--no-progress'] },
];
const unit: Step = {
  name: 'unit tests',
  command: [bin('mocha'), '--parallel', '--jobs', '3', '--reporter', 'dot', 'test/unit/**/*.test.ts'],
};

const run = (step: Step): Promise<boolean> =>
  new Promise((resolve) => {
    const started = performance.now();
    const [command = '', ...args] = step.command;
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('close', (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${step.name} (${seconds} s)`);
      if (code !== 0) console.log(output);
      resolve(code === 0);
    });
  });

const pending = [...first];
const worker = async (): Promise<boolean> => {
  let good = true;
  for (let step = pending.shift(); step; step = pending.shift()) good = (await run(step)) && good;
  return good;
};
const checked = await Promise.all([worker(), worker()]);
const passed = (await run(unit)) && checked.every(Boolean);
process.exit(passed ? 0 : 1);
