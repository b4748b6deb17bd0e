import { z } from 'zod';
import { UserError } from '../../domain/errors.ts';
import type { Permissions } from '../../domain/run.ts';
import { permissionsOf } from '../../domain/run-of-agent.ts';
import { oneLine, truncate } from '../../domain/text.ts';
import { defineTool, type ToolResult } from '../tool.ts';
import { type ProcessOutcome, runProcess } from './process.ts';

const DEFAULT_TIMEOUT_S = 120;
const LONGEST_TIMEOUT_S = 900;

/** Throws UserError unless the person's settings allow the program. */
export const checkAllowed = (commands: Permissions['commands'], program: string): void => {
  if (commands === 'any') return;
  if (commands === 'off')
    throw new UserError('permission-denied', 'Running programs is switched off for this repository.');
  if (isAllowed(commands, program)) return;
  throw new UserError(
    'permission-denied',
    `${oneLine(program, 60)} is not allowed. Allowed, by exactly these names: ${commands.allowed.join(', ') || 'nothing'}.`,
  );
};

/** Whether the settings allow the program, by its name. */
export const isAllowed = (commands: Permissions['commands'], program: string): boolean =>
  commands === 'any' || (commands !== 'off' && commands.allowed.includes(program) && !/[/\\]/.test(program));

const resultOf = (outcome: ProcessOutcome, program: string, timeoutS: number, outputChars: number): ToolResult => {
  if (outcome.kind === 'unstartable') {
    const why = outcome.code === 'ENOENT' ? 'there is no such program' : outcome.code;
    throw new UserError('not-found', `${oneLine(program, 60)} could not be started: ${why}.`);
  }
  const text = truncate(outcome.output.trimEnd(), outputChars, 'run a narrower command to see less');
  const body = text === '' ? '(no output)' : text;
  if (outcome.kind === 'exited') return { ok: outcome.code === 0, output: `exit code ${outcome.code}\n${body}` };
  const how = outcome.by === 'timeout' ? `ended because it ran longer than ${timeoutS} s` : 'ended by a signal';
  return { ok: false, output: `${how}\n${body}` };
};

export const runCommand = defineTool({
  name: 'run_command',
  description: 'Run one program in your copy of the repository, without a shell: no pipes, no &&, no wildcards.',
  input: z.object({
    argv: z.array(z.string()).min(1).describe('program and arguments, such as ["npm","test"]'),
    timeout_s: z.number().optional().describe(`seconds; ${DEFAULT_TIMEOUT_S} without it`),
  }),
  offered: ({ agent, run }) => agent.tier !== 'planner' && permissionsOf(run, agent).commands !== 'off',
  action: (input) => oneLine(`run ${input.argv.join(' ')}`, 60),
  run: async (context, input, signal) => {
    const [program = '', ...args] = input.argv;
    checkAllowed(permissionsOf(context.run, context.agent).commands, program);
    if (program === '' || input.argv.some((arg) => arg.includes('\0')))
      throw new UserError('bad-input', 'The program must have a name, and no argument may hold a NUL character.');
    const timeoutS = Math.min(LONGEST_TIMEOUT_S, Math.max(1, input.timeout_s ?? DEFAULT_TIMEOUT_S));
    const folder = await context.folder();
    const keepChars = context.limits.outputChars * 2;
    const { environment, commandsDir } = context;
    const outcome = await runProcess(
      { argv: [program, ...args], folder, environment, timeoutMs: timeoutS * 1000, keepChars, commandsDir },
      signal,
    );
    signal.throwIfAborted();
    return resultOf(outcome, program, timeoutS, context.limits.outputChars);
  },
});
