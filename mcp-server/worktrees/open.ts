import { appendFile, chmod, lstat, mkdir, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Clock } from '../domain/clock.ts';
import { messageOf, UserError } from '../domain/errors.ts';
import type { Random } from '../domain/ids.ts';
import type { Core } from './core.ts';
import { noCommits } from './facts.ts';
import { filtersOff, type Place } from './git-environment.ts';
import { createGit, type Faults, type Git, GitError } from './git-exec.ts';
import { Lineage } from './lineage.ts';
import { createObjectReader, OBJECT_READER } from './objects.ts';
import type { Repository } from './port.ts';
import { createQueue, createQueues } from './queue.ts';
import { createRefWriter, REF_WRITER } from './ref-writer.ts';
import { createRepository } from './repository.ts';

/** What opening a repository needs. */
export interface OpenOptions {
  /** A folder or file anywhere inside the repository. */
  readonly path: string;
  readonly random: Random;
  readonly clock: Clock;
  /** PATH, HOME and the language are taken from it; the rest never reaches git. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly faults?: Faults;
}

/**
 * Opens the repository around a path and makes the engine's state folder in it. Throws UserError when there is none
 * (`not-a-repository`), or one that cannot be worked with (`unsupported-repository`).
 */
export const openRepository = async (options: OpenOptions): Promise<Repository> => {
  const git = createGit(options.environment, options.faults);
  const person = await findRepository(git, await folderOf(options.path));
  await refuseBroughtState(git, person);
  const stateDir = await makeStateDir(person);
  const store = await storePlace(person, stateDir);
  const filters = await git.exec(store, ['config', '-z', '--get-regexp', '^filter\\.'], { accept: [0, 1] });
  git.setAgentSettings(filtersOff(filters.stdout.toString('utf8')));
  const core: Core = {
    git,
    objects: createObjectReader(() => git.session(store, OBJECT_READER)),
    refs: createRefWriter(() => git.session(store, REF_WRITER), options.clock, options.faults),
    lineage: new Lineage(),
    random: options.random,
    clock: options.clock,
    person,
    store,
    stateDir,
    metadata: createQueue(),
    perAgent: createQueues(),
    background: new Set(),
  };
  return createRepository(core);
};

const folderOf = async (path: string): Promise<string> => {
  const absolute = resolve(path);
  const found = await stat(absolute).catch(() => null);
  if (!found) throw new UserError('not-a-repository', `${absolute} does not exist.`);
  return realpath(found.isDirectory() ? absolute : dirname(absolute));
};

const findRepository = async (git: Git, folder: string): Promise<Place> => {
  const answering = placesOf(git, folder);
  answering.catch(() => undefined);
  // An older git may not even understand the question.
  await checkVersion(git, folder);
  const answer = await answering;
  const [root, gitDir, commonDir, head] = answer.split('\n');
  if (!root || !gitDir || !commonDir) throw new Error(`git rev-parse wrote ${JSON.stringify(answer)}`);
  const workTree = await realpath(root);
  if (!head) throw noCommits(workTree);
  return { gitDir: await realpath(gitDir), commonDir: await realpath(commonDir), workTree, trust: 'person' };
};

/** Three folders, and the commit if there is one, each on a line of its own. Throws UserError. */
const placesOf = async (git: Git, folder: string): Promise<string> => {
  const places = ['--show-toplevel', '--absolute-git-dir', '--git-common-dir'];
  const commit = ['--verify', '--quiet', 'HEAD^{commit}'];
  try {
    const question = ['rev-parse', '--path-format=absolute', ...places, ...commit];
    return await git.discover(folder, question, { accept: [0, 1] });
  } catch (error) {
    throw error instanceof GitError ? explain(folder, error) : error;
  }
};

/** What git says when it finds no repository that it may use, as an error with advice. */
const explain = (folder: string, error: GitError): UserError => {
  const cause = { cause: error };
  if (/not a git repository/i.test(error.stderr)) {
    return new UserError(
      'not-a-repository',
      `${folder} is not in a git repository. Go to one, or make one: git init && git add . && git commit -m "Start"`,
      cause,
    );
  }
  if (/work tree|bare repository/i.test(error.stderr)) {
    return new UserError(
      'unsupported-repository',
      `${folder} is a bare repository, or inside a .git folder: there are no files to work on. Use a clone of it, or a worktree: git worktree add <folder>`,
      cause,
    );
  }
  return new UserError(
    'unsupported-repository',
    `git cannot use the repository at ${folder}: ${error.stderr.trim()}`,
    cause,
  );
};

const checkVersion = async (git: Git, folder: string): Promise<void> => {
  const answer = await git.discover(folder, ['version']);
  const [, major, minor] = /(\d+)\.(\d+)/.exec(answer) ?? [];
  const version = Number(major) * 1000 + Number(minor);
  if (version >= 2038) return;
  throw new UserError(
    'unsupported-repository',
    `Coppice needs git 2.38 or newer; this is ${answer.trim()}. Update git.`,
  );
};

/** What a person may share through git: none of it acts before they have looked at it. All else is the engine's own. */
const SHARED = /^\.coppice\/(config\.json|skills\.lock\.json|(skills|workflows|processors|policies)\/.+)$/;

/** A clone could bring runs that go on as soon as an engine starts, with the servers and permissions that it chose. */
const refuseBroughtState = async (git: Git, person: Place): Promise<void> => {
  // Some file systems do not tell the case of names apart.
  const variables = { GIT_LITERAL_PATHSPECS: '0', GIT_ICASE_PATHSPECS: '1' };
  const listed = await git.text(person, ['ls-files', '-z', '--', '.coppice'], { variables });
  const tracked = listed.split('\0').filter((path) => path !== '');
  const brought = tracked.find((path) => !SHARED.test(path));
  if (brought === undefined) return;
  throw new UserError(
    'unsupported-repository',
    `git tracks ${brought}, a place of Coppice's own state, so a clone could bring runs along that others have begun. ` +
      `If you trust them: git rm -r --cached ${brought}. If not, remove the file as well.`,
  );
};

/** `.coppice` in the person's working tree, private, and unseen by git. */
const makeStateDir = async (person: Place): Promise<string> => {
  const stateDir = join(person.workTree, '.coppice');
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    if (!(await lstat(stateDir)).isDirectory()) throw new Error('it is a link');
    await chmod(stateDir, 0o700);
    for (const folder of ['worktrees', 'trash', 'empty', 'commands']) {
      await mkdir(join(stateDir, folder), { recursive: true, mode: 0o700 });
      if (!(await lstat(join(stateDir, folder))).isDirectory()) throw new Error(`${folder} in it is a link`);
    }
  } catch (error) {
    throw new UserError(
      'unsupported-repository',
      `Coppice keeps its state in ${stateDir}, which cannot be used: ${messageOf(error)}. Make it a plain folder that you can write to, or remove it.`,
      { cause: error },
    );
  }
  await excludeStateDir(person.commonDir);
  return stateDir;
};

const EXCLUDED = '/.coppice/';

const excludeStateDir = async (commonDir: string): Promise<void> => {
  const file = join(commonDir, 'info', 'exclude');
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text.split(/\r?\n/).includes(EXCLUDED)) return;
  await mkdir(dirname(file), { recursive: true });
  await appendFile(file, `${text === '' || text.endsWith('\n') ? '' : '\n'}${EXCLUDED}\n`);
};

const storePlace = async (person: Place, stateDir: string): Promise<Place> => {
  const workTree = join(stateDir, 'empty');
  if ((await readdir(workTree)).length > 0) {
    throw new UserError(
      'unsupported-repository',
      `${workTree} must be empty, but something is in it. Remove what is there.`,
    );
  }
  return { gitDir: person.commonDir, commonDir: person.commonDir, workTree, trust: 'agent' };
};
