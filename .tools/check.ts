import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { testEnvironment } from './test-environment.ts';

/** The quick gate: format, lint, types, import rules and cycles, dead code, unit tests. `-- static` or `-- unit`: half of it. */
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const env = testEnvironment(process.env);
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const statics: readonly Step[] = [
  { name: 'format', command: [bin('biome'), 'check', '--error-on-warnings', '.'] },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'types', command: [bin('tsc'), '--noEmit', '-p', '.'] },
  { name: 'imports', command: [process.execPath, join(root, '.tools/imports.ts')] },
  { name: 'dead code', command: [bin('knip'), '--no-progress'] },
];
const unit: Step = {
  name: 'unit tests',
  command: [bin('mocha'), '--parallel', '--jobs', '4', '--reporter', 'dot', 'test/unit/**/*.test.ts'],
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

const runStatics = async (): Promise<boolean> => {
  const pending = [...statics];
  const worker = async (): Promise<boolean> => {
    let good = true;
    for (let step = pending.shift(); step; step = pending.shift()) good = (await run(step)) && good;
    return good;
  };
  return (await Promise.all([worker(), worker()])).every(Boolean);
};

const [only, ...more] = process.argv.slice(2);
if ((only !== undefined && only !== 'static' && only !== 'unit') || more.length > 0) {
  console.error('One of: static, unit; or nothing, for both.');
  process.exit(2);
}
const checked = only === 'unit' || (await runStatics());
const passed = (only === 'static' || (await run(unit))) && checked;
process.exit(passed ? 0 : 1);
