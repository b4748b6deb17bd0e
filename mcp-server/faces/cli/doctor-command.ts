import { messageOf } from '../../domain/errors.ts';
import type { SetupProblem } from '../../operations/views.ts';
import { type CliContext, EXIT } from './context.ts';
import { SteadyClient } from './run-events.ts';
import { printable, type Terminal } from './terminal.ts';

/** One thing that doctor looks at without an engine; resolves with what it found, and must not throw. */
export type LocalCheck = () => Promise<SetupProblem>;

/** `coppice doctor`: the engine's own check, and the local ones alone when no engine can start. */
export const doctorCommand = async (
  terminal: Terminal,
  checks: readonly LocalCheck[],
  openContext: () => Promise<CliContext>,
  json: boolean,
): Promise<number> => {
  const problems: SetupProblem[] = [];
  for (const check of checks) problems.push(await check());
  problems.push(...(await askEngine(openContext)));
  const ok = problems.every((problem) => problem.severity !== 'error');
  if (json) terminal.print(JSON.stringify({ ok, problems }));
  else {
    for (const problem of problems) terminal.print(describe(problem));
    terminal.print(ok ? 'Ready.' : 'Not ready: put right what is marked with ✗.');
  }
  return ok ? EXIT.ok : EXIT.failed;
};

const askEngine = async (openContext: () => Promise<CliContext>): Promise<readonly SetupProblem[]> => {
  let client: SteadyClient | null = null;
  try {
    const context = await openContext();
    client = new SteadyClient(context);
    const { server, model } = context.settings;
    const options = { ...(server === undefined ? {} : { server }), ...(model === undefined ? {} : { model }) };
    const answer = await client.call<{ problems: SetupProblem[] }>('setup_check', { options });
    return answer.problems;
  } catch (error) {
    return [{ severity: 'error', what: `No engine can work here: ${messageOf(error)}`, fix: '' }];
  } finally {
    await client?.close();
  }
};

const MARKS = { ok: '✓', warning: '!', error: '✗' } as const;

const describe = (problem: SetupProblem): string => {
  const fix = problem.fix === '' ? '' : `\n    ${problem.fix}`;
  return printable(`${MARKS[problem.severity]} ${problem.what}${fix}`);
};
