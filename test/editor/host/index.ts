// Runs inside the real extension host: VS Code loads the bundle of this file and calls `run`.
import { format } from 'node:util';
import Mocha from 'mocha';
import { MARK } from '../mark.ts';

/** Rejects when a test has failed; the editor then ends with an error. */
export const run = async (): Promise<void> => {
  const mocha = new Mocha({
    ui: 'bdd',
    timeout: 60_000,
    reporter: 'spec',
    bail: process.env['COPPICE_TEST_BAIL'] !== undefined,
  });
  // The editor writes much to the same console; the mark tells the lines of the tests apart.
  Mocha.reporters.Base.consoleLog = (...args: unknown[]) => console.log(`${MARK}${format(...args)}`);
  // Gives this bundle `describe` and `it`.
  mocha.suite.emit('pre-require', globalThis, '', mocha);
  const suite = process.env['COPPICE_TEST_SUITE'];
  if (suite === 'untrusted') await import('./untrusted.ts');
  else if (suite === 'idle') await import('./idle.ts');
  else if (suite === 'skills') await import('./skills.ts');
  else {
    await import('./trusted.ts');
    await import('./plans.ts');
  }
  const failures = await new Promise<number>((resolve) => mocha.run(resolve));
  if (failures > 0) throw new Error(`${failures} tests failed in the extension host.`);
};
