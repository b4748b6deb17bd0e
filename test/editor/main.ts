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

type Say = (line: string) => void;

/** Says all of a part at its end, so that two that run at once do not mix. Whether it passed; does not throw. */
const whole = async (part: (tell: Say) => Promise<boolean>): Promise<boolean> => {
  const lines: string[] = [];
  try {
    return await part((line) => void lines.push(line));
  } catch (error) {
    lines.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return false;
  } finally {
    say(lines.join('\n'));
  }
};

try {
  const installed = await ensureEditor(say);
  setTimeout(() => finish(`not done after ${LIMIT_MS / 60_000} minutes`, 1), LIMIT_MS).unref();
  const byClicking = async (tell: Say): Promise<boolean> => {
    tell('\n  a person in VS Code');
    await walkThrough(installed, tell);
    return true;
  };
  const inHost = (['trusted', 'skills', 'idle', 'untrusted'] as const).map(
    (suite) => (tell: Say) => runInHost(installed, suite, tell),
  );
  // One alone leaves a quarter of two cores idle. The longest first.
  const parts = [byClicking, ...inHost];
  const lane = async (): Promise<boolean> => {
    let good = true;
    for (let part = parts.shift(); part; part = parts.shift()) good = (await whole(part)) && good;
    return good;
  };
  const passed = await Promise.all([lane(), lane()]);
  if (!passed.every(Boolean)) finish('failed', 1);
  finish('all passed', 0);
} catch (error) {
  console.error(error);
  finish('failed', 1);
}
