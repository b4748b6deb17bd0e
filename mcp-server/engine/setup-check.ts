import { isAllowed } from '../agent/tools/command.ts';
import { messageOf } from '../domain/errors.ts';
import type { RunOptions } from '../domain/run.ts';
import { counted } from '../domain/text.ts';
import type { SetupProblem } from './facade.ts';
import type { EngineParts } from './parts.ts';

/** What a person should know before a run: the repository, the server, what agents may do. */
export const checkSetup = async (
  parts: EngineParts,
  options: RunOptions,
): Promise<{ ok: boolean; problems: readonly SetupProblem[] }> => {
  const problems = [
    ...(await checkRepository(parts)),
    ...(await checkServer(parts, options)),
    checkCommands(options),
    ...checkScripts(parts),
    ...checkWorktreeSetup(parts),
  ];
  return { ok: problems.every((problem) => problem.severity !== 'error'), problems };
};

const ok = (what: string): SetupProblem => ({ severity: 'ok', what, fix: '' });
const warning = (what: string, fix: string): SetupProblem => ({ severity: 'warning', what, fix });
const error = (what: string, fix: string): SetupProblem => ({ severity: 'error', what, fix });

const checkRepository = async ({ repository }: EngineParts): Promise<SetupProblem[]> => {
  try {
    const facts = await repository.facts();
    const found = [
      ok(`Repository ${facts.root}, on ${facts.branch ?? 'a detached HEAD'} at ${facts.head.slice(0, 10)}.`),
    ];
    if (facts.dirtyFiles > 0)
      found.push(
        warning(
          `${facts.dirtyFiles} files have uncommitted changes; agents start from the last commit and do not see them.`,
          'Commit them if the agents need them.',
        ),
      );
    if (facts.hasSubmodules) found.push(warning('The repository has submodules; agents do not see into them.', ''));
    if (facts.branch === null)
      found.push(
        warning(
          'HEAD is detached: a result lands on HEAD itself.',
          'Check out a branch first if that is not what you want.',
        ),
      );
    return found;
  } catch (failure) {
    return [error(messageOf(failure), 'Open a folder inside a git repository with at least one commit.')];
  }
};

const checkServer = async (parts: EngineParts, options: RunOptions): Promise<SetupProblem[]> => {
  if (options.server === 'rehearsal')
    return [
      warning(
        'The server is the built-in rehearsal: rules, not intelligence. It can only map a repository.',
        'Set the server to the address of your llama-server for real work.',
      ),
    ];
  try {
    const endpoint = await parts.endpoint(options.server, options.model);
    const facts = await endpoint.facts();
    const found = [
      ok(`Server ${facts.url}: ${facts.model}, ${counted(facts.totalSlots, 'slot')} of ${facts.contextSize} tokens.`),
    ];
    if (!facts.supportsTools)
      found.push(
        error(
          'The chat template of the model has no tool calls.',
          'Start llama-server with --jinja and a model whose template knows tools.',
        ),
      );
    if (facts.contextSize < 8192)
      found.push(
        warning(
          `A slot holds only ${facts.contextSize} tokens.`,
          'Give llama-server a larger -c: it is shared by the slots of -np.',
        ),
      );
    return found;
  } catch (failure) {
    return [
      error(
        messageOf(failure),
        'Start it, or set the address of one that runs: --server, COPPICE_SERVER or coppice.server.url.',
      ),
    ];
  }
};

const checkCommands = (options: RunOptions): SetupProblem => {
  const { commands } = options.permissions;
  if (commands === 'off') return ok('Agents cannot run commands.');
  if (commands === 'any')
    return warning('Agents may run any program, without a sandbox.', 'Name the programs that they need instead.');
  return ok(`Agents may run: ${commands.allowed.join(', ')}.`);
};

const checkScripts = ({ skills }: EngineParts): SetupProblem[] => {
  if (!skills) return [];
  if (skills.holds.sandbox) return [ok('Scripts of skills run in a sandbox.')];
  const node = skills.holds.permissionModel ? 'Node holds scripts of skills in JavaScript. ' : '';
  return [
    ok(`${node}There is no sandbox for other scripts: before one is run, you are asked for all that you can do.`),
  ];
};

const checkWorktreeSetup = ({ worktreeSetup, settings }: EngineParts): SetupProblem[] => {
  if (!worktreeSetup) return [];
  const [program] = worktreeSetup.argv;
  if (isAllowed(settings.permissions.commands, program))
    return [ok(`Each new worktree is set up by: ${worktreeSetup.argv.join(' ')}.`)];
  return [
    warning(
      `worktree.setup is not run: the settings do not allow ${program}.`,
      `Allow it: "permissions": {"commands": {"allowed": ["${program}"]}}.`,
    ),
  ];
};
