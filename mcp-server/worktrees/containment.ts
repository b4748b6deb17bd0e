import { lstat, realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { UserError } from '../domain/errors.ts';

/**
 * Files and folders, at any depth, from which an editor or another agent takes settings and commands to run. An agent
 * that could write them would act outside its worktree, later and as the person. Instructions in prose (AGENTS.md,
 * .github) are not here: they are reviewed with the diff like all else.
 */
const AGENT_AND_EDITOR_SETTINGS: ReadonlySet<string> = new Set([
  '.vscode',
  '.idea',
  '.devcontainer',
  '.devcontainer.json',
  '.mcp.json',
  '.claude',
  '.claude.json',
  '.cursor',
  '.codex',
  '.gemini',
  '.windsurf',
  '.roo',
  '.continue',
  '.opencode',
  'opencode.json',
  'opencode.jsonc',
  '.zed',
  '.kiro',
  '.junie',
  '.amazonq',
  '.amp',
  '.coppice',
]);

/** Characters that some file systems ignore in a name. */
const IGNORED = /\p{Default_Ignorable_Code_Point}|\p{Cf}/gu;

/** A name as the laxest file system sees it: without case, ignored characters, streams, and dots and spaces at the end. */
const fold = (name: string): string =>
  name
    .normalize('NFKC')
    .replace(IGNORED, '')
    .replace(/:.*$/s, '')
    .replace(/[. ]+$/, '')
    .toLowerCase();

const isGit = (name: string): boolean => /^(\.git|git~\d+)$/.test(fold(name));

const isSettings = (name: string): boolean => {
  const folded = fold(name);
  return AGENT_AND_EDITOR_SETTINGS.has(folded) || folded.endsWith('.code-workspace');
};

/** Does a part of the path belong to git? */
export const belongsToGit = (path: string): boolean => path.split(/[/\\]/).some(isGit);

/** May an agent not change what is at this path, wherever the path leads? */
export const isProtected = (path: string): boolean =>
  path.split(/[/\\]/).some((name) => isGit(name) || isSettings(name));

const outside = (path: string): UserError =>
  new UserError(
    'permission-denied',
    `${path} is outside the working tree. Use a path relative to its top, without "..".`,
  );

/** `./a//b/` → `a/b`. Throws UserError `permission-denied` for an absolute path and for one that goes upwards. */
export const relativePath = (path: string): string => {
  const parts = path.split(sep === '\\' ? /[/\\]/ : '/').filter((part) => part !== '' && part !== '.');
  if (isAbsolute(path) || /^[a-z]:/i.test(path) || path.includes('\0') || parts.includes('..')) throw outside(path);
  return parts.join('/');
};

/**
 * Where a relative path really lies below `root`, itself a real path: every folder on the way is resolved, the last
 * component only if `follow` says so. Missing components stay as they are named. Throws UserError
 * `permission-denied` when a link leads out of the root, or into a part of it that belongs to git.
 */
export const resolveInside = async (root: string, path: string, follow: boolean): Promise<string> => {
  if ((await realpath(root).catch(absent)) !== root) {
    throw new UserError('permission-denied', `The working tree at ${root} is gone, or is a link now.`);
  }
  let place = root;
  const parts = path === '' ? [] : path.split('/');
  for (const [index, part] of parts.entries()) {
    const next = join(place, part);
    const found = await lstat(next).catch(absent);
    const last = index === parts.length - 1;
    place = found?.isSymbolicLink() && (follow || !last) ? await realTarget(next, path) : next;
    if (!isInside(root, place) || belongsToGit(relative(root, place))) throw outside(path);
  }
  return place;
};

const isInside = (root: string, place: string): boolean => place === root || place.startsWith(root + sep);

const realTarget = (link: string, path: string): Promise<string> =>
  realpath(link).catch((error: unknown) => {
    throw new UserError('permission-denied', `${path} goes through a symbolic link that leads nowhere.`, {
      cause: error,
    });
  });

/** For `catch`: null when there is nothing at the path; anything else is thrown again. */
export const absent = (error: unknown): null => {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return null;
  throw error;
};
