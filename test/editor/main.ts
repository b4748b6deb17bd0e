// The tests of the editor: inside the extension host of a real VS Code, and as a user by clicking.
import { ensureEditor } from '../../.tools/editor.ts';
import { walkThrough } from './as-a-user.ts';
import { runInHost } from './in-host.ts';

const LIMIT_MS = 6 * 60_000;

const started = performance.now();
const say = (line: string): void => console.log(line);
const finish = (outcome: string, code: number): never => {
  say(`editor: ${outcome} (${((performance.now() - started) / 1000).toFixed(0)} s); pictures in test-results/editor/`);
  process.exit(code);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => finish('interrupted', 1));

try {
  const installed = await ensureEditor(say);
  setTimeout(() => finish(`not done after ${LIMIT_MS / 60_000} minutes`, 1), LIMIT_MS).unref();
  const passed: boolean[] = [];
  for (const suite of ['trusted', 'untrusted', 'idle', 'skills'] as const)
    passed.push(await runInHost(installed, suite));
  if (!passed.every(Boolean)) finish('tests in the extension host failed', 1);
  say('\n  a person in VS Code');
  await walkThrough(installed, say);
  finish('all passed', 0);
} catch (error) {
  console.error(error);
  finish('failed', 1);
}
