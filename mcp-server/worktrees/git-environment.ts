/** Where a git command works. All of it is said to git explicitly, so that nothing that lies in a folder is ever asked. */
export interface Place {
  /** HEAD and the index are here. */
  readonly gitDir: string;
  /** Objects, branches and the configuration are here. */
  readonly commonDir: string;
  /** Also the folder that the command runs in. */
  readonly workTree: string;
  /** `person`: content filters run as in the person's own git. `agent`: only git-lfs, and it never downloads. */
  readonly trust: 'person' | 'agent';
}

/**
 * What git gets from the environment, besides its own variables. Neither credentials (SSH_AUTH_SOCK, tokens) nor
 * anything that starts another program (EDITOR, PAGER, GIT_*) is among them.
 */
const INHERITED = [
  'PATH',
  'HOME',
  'XDG_CONFIG_HOME',
  'TMPDIR',
  'TEMP',
  'TMP',
  'USERPROFILE',
  'HOMEDRIVE',
  'HOMEPATH',
  'SYSTEMROOT',
  'SystemRoot',
  'COMSPEC',
  'PATHEXT',
];

/** The part of an environment that git gets. */
export const inheritedEnvironment = (from: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(INHERITED.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])));

/** Settings that make git start a program, or that make its output depend on the person's taste, are overruled. */
export const OVERRULED: readonly string[] = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=',
  'core.quotePath=false',
  'core.safecrlf=false',
  'commit.gpgSign=false',
  'gc.auto=0',
  // The database says that a commit exists, so it must survive a power cut as the database does.
  'core.fsync=objects',
  'core.fsyncMethod=batch',
  'maintenance.auto=false',
  'i18n.commitEncoding=UTF-8',
  'merge.conflictStyle=merge',
  'submodule.recurse=false',
  'worktree.useRelativePaths=false',
  'safe.bareRepository=explicit',
];

/**
 * The system's settings hold in the person's own folder: git-lfs, or which owners are trusted, may be set up there. Git
 * for Windows also keeps settings in them without which every file looks changed.
 */
const WITHOUT_SYSTEM_SETTINGS: Readonly<Record<string, string>> =
  process.platform === 'win32' ? {} : { GIT_CONFIG_NOSYSTEM: '1' };

/** The variables of one command. Without a place git looks for the repository by itself, as it does for the person. */
export const gitVariables = (place: Place | null): Record<string, string> => ({
  GIT_TERMINAL_PROMPT: '0',
  // Some of what git says is read here, so it is not to be translated.
  LC_ALL: 'C',
  GIT_LITERAL_PATHSPECS: '1',
  ...(place && {
    GIT_DIR: place.gitDir,
    GIT_COMMON_DIR: place.commonDir,
    GIT_WORK_TREE: place.workTree,
    ...(place.trust === 'agent' && { GIT_LFS_SKIP_SMUDGE: '1', ...WITHOUT_SYSTEM_SETTINGS }),
  }),
});

/** Settings as environment variables, which, unlike `-c`, may have any character in their name. */
export const settingsVariables = (settings: readonly (readonly [string, string])[]): Record<string, string> =>
  settings.length === 0
    ? {}
    : Object.fromEntries([
        ['GIT_CONFIG_COUNT', String(settings.length)],
        ...settings.flatMap(([key, value], index) => [
          [`GIT_CONFIG_KEY_${index}`, key],
          [`GIT_CONFIG_VALUE_${index}`, value],
        ]),
      ]);

/** What git-lfs itself writes into the configuration; anything else under its name is switched off like other filters. */
const LFS = /^git-lfs (clean|smudge|filter-process)( --skip)?( -- %f)?$/;

/**
 * Reads `git config -z --get-regexp ^filter\.` and gives the settings that switch every content filter off but git-lfs.
 * A filter's command may name a file of the repository, which an agent can write; so in an agent's worktree files are
 * as they are stored.
 */
export const filtersOff = (config: string): readonly (readonly [string, string])[] => {
  const off = new Map<string, string>();
  for (const entry of config.split('\0').filter(Boolean)) {
    const [, name, key] = /^filter\.(.*)\.([^.\n]+)$/s.exec(entry.split('\n', 1)[0] ?? '') ?? [];
    if (name === undefined || key === undefined) continue;
    const value = entry.slice(entry.indexOf('\n') + 1);
    if (key === 'required') {
      if (name !== 'lfs') off.set(`filter.${name}.required`, 'false');
    } else if (['clean', 'smudge', 'process'].includes(key) && !(name === 'lfs' && LFS.test(value))) {
      off.set(`filter.${name}.${key}`, '');
    }
  }
  return [...off];
};
