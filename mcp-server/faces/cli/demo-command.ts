import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { UserError } from '../../domain/errors.ts';
import type { RunView } from '../../operations/views.ts';
import { type CliContext, EXIT } from './context.ts';
import { type ReviewDiff, summaryOf } from './review-command.ts';
import { followRun } from './run-command.ts';
import { SteadyClient } from './run-events.ts';
import { stopEngine } from './stop-command.ts';
import { printable } from './terminal.ts';

const execute = promisify(execFile);

const git = (...args: readonly string[]): Promise<unknown> =>
  execute('git', args).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new UserError('bad-input', 'git was not found. Install git 2.38 or newer and put it on the PATH.', {
      cause: error,
    });
  });

/** Rules cost nothing; enough that no agent is cut short. */
const BUDGET = 2_000_000;
const TASK = 'Map this repository: write docs/map';

/** A repository to show the demonstration on: a clone of this program's own, or a small sample. */
export const makeDemoRepository = async (
  script: string,
  temporary: string,
): Promise<{ path: string; what: string }> => {
  const folder = await mkdtemp(join(temporary, 'coppice-demo-'));
  const path = join(folder, 'repository');
  const own = await ownRepository(dirname(script));
  if (own !== null) {
    await git('clone', '--no-hardlinks', '-q', own, path);
    return { path, what: `a clone of ${own}` };
  }
  await makeSample(path);
  return { path, what: 'a small sample repository' };
};

/** Runs the built-in task on the demonstration's repository and tells what came of it. */
export const demoCommand = async (context: CliContext, what: string, kill: (pid: number) => void): Promise<number> => {
  const { terminal, place, program } = context;
  terminal.print(
    `This is a demonstration on ${what}, at ${place.root}\n` +
      'The model behind it is the built-in one: fixed rules that list, read and describe files. It is rules, not\n' +
      'intelligence; the hierarchy, the budget, the worktrees and the merges are the real ones.\n',
  );
  const client = new SteadyClient(context);
  try {
    const started = await client.call<RunView>('run_start', {
      task: TASK,
      options: {
        server: 'rehearsal',
        unattended: true,
        budget: BUDGET,
        planning: { gate: 'go', maxForecastTokens: null },
      },
      key: context.newKey(),
    });
    const status = await followRun(context, client, started, { json: false, yes: true });
    if (status === EXIT.ok) {
      const diff = await client.call<ReviewDiff>('review_diff', { run: started.run });
      terminal.print(`\n${printable(summaryOf(diff, terminal.size().columns))}\n`);
      terminal.print(`Look around:  cd ${place.root}\n              git log --graph --oneline ${started.branch}`);
      terminal.print(`Your turn:    ${program} "what is to be done" --repo PATH --server http://127.0.0.1:8080`);
    }
    return status;
  } finally {
    await client.close();
    await stopEngine(
      { ...context, terminal: { ...terminal, print: () => {} } },
      { seconds: 10, now: false, json: false, kill },
    );
  }
};

/** The checkout that holds the script, if it is this program's own and has a commit. */
const ownRepository = async (start: string): Promise<string | null> => {
  for (let folder = start; ; folder = dirname(folder)) {
    if (await stat(join(folder, '.git')).catch(() => null)) {
      const manifest = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '{}');
      const own = (JSON.parse(manifest) as { name?: string }).name === 'coppice';
      const head = own ? await git('-C', folder, 'rev-parse', '--verify', '-q', 'HEAD').catch(() => null) : null;
      return head === null ? null : folder;
    }
    if (dirname(folder) === folder) return null;
  }
};

const SAMPLE: Readonly<Record<string, string>> = {
  'README.md': '# Sample\n\nA small program that greets, with its tests and its notes.\n',
  'src/greet.js': 'export const greet = (name) => `Hello, ${name}!`;\n',
  'src/main.js': "import { greet } from './greet.js';\n\nconsole.log(greet('world'));\n",
  'test/greet.test.js':
    "import { greet } from '../src/greet.js';\n\nif (greet('x') !== 'Hello, x!') throw new Error();\n",
  'docs/notes.md': '# Notes\n\n- Greetings are in English.\n',
};

const makeSample = async (path: string): Promise<void> => {
  for (const [name, text] of Object.entries(SAMPLE)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  const inSample = (...args: string[]) =>
    git('-C', path, '-c', 'user.name=Sample', '-c', 'user.email=sample@example.com', ...args);
  await inSample('init', '-q', '-b', 'main');
  await inSample('add', '.');
  await inSample('commit', '-q', '-m', 'A small program that greets');
};
