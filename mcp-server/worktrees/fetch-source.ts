import { lstat, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../domain/errors.ts';
import { oneLine } from '../domain/text.ts';

/** Where git will be told to fetch from. */
export interface Located {
  readonly url: string;
  readonly inside: string;
}

const HOST = String.raw`[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?`;
const USER = String.raw`[A-Za-z0-9_][A-Za-z0-9._-]*`;
const SCP = new RegExp(`^(?:${USER}@)?${HOST}:(?![/\\\\]{2}|:)[A-Za-z0-9_.~/][^\\s]*$`);

/** What git will be told. Throws UserError `bad-input` for anything but https, ssh and a local path. */
export const locate = async (text: string, baseDir: string): Promise<Located> => {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (text === '' || text.startsWith('-') || /[\u0000-\u001f\u007f]/.test(text)) throw badUrl(text);
  if (/^file:/i.test(text)) return locateFolder(filePath(text), text);
  if (isAbsolute(text) || /^\.\.?([/\\]|$)/.test(text)) return locateFolder(resolve(baseDir, text), text);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return { url: remoteUrl(text), inside: '' };
  if (text.includes('::') || !SCP.test(text)) throw badUrl(text);
  return { url: text, inside: '' };
};

const badUrl = (text: string): UserError =>
  new UserError(
    'bad-input',
    `${oneLine(JSON.stringify(text), 120)} is not where skills are fetched from. Give https://…, ssh://…, user@host:path, or the path of a local repository that begins with / or ./`,
  );

const filePath = (text: string): string => {
  try {
    return fileURLToPath(text);
  } catch {
    throw badUrl(text);
  }
};

const remoteUrl = (text: string): string => {
  const url = URL.parse(text);
  if (!url || !['https:', 'ssh:'].includes(url.protocol)) throw badUrl(text);
  if (!new RegExp(`^(?:${HOST}|\\[[0-9a-f:]+\\])$`, 'i').test(url.hostname) || url.pathname.length < 2)
    throw badUrl(text);
  if (url.username !== '' && !new RegExp(`^${USER}$`).test(url.username)) throw badUrl(text);
  if (url.password !== '' || (url.protocol === 'https:' && url.username !== ''))
    throw new UserError('bad-input', 'Give the URL without a name and a password: git asks its own credential helper.');
  return url.href;
};

/** A local repository, or a folder below the top of one. */
const locateFolder = async (folder: string, text: string): Promise<Located> => {
  const start = await realpath(folder).catch(() => null);
  if (start === null) throw new UserError('not-found', `There is nothing at ${oneLine(text, 200)}.`);
  for (let top = start; ; top = dirname(top)) {
    const isTop =
      (await exists(join(top, '.git'))) || ((await exists(join(top, 'HEAD'))) && (await exists(join(top, 'objects'))));
    if (isTop) return { url: top, inside: relative(top, start).replaceAll('\\', '/') };
    if (dirname(top) === top) break;
  }
  throw new UserError(
    'not-a-repository',
    `${start} is not in a git repository. Skills are imported at a commit: git init && git add . && git commit -m "Start"`,
  );
};

const exists = async (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** Throws UserError `bad-input` unless it can be the name of a branch or a tag, or a commit. */
export const checkRef = (ref: string | null): void => {
  if (ref === null || (/^[A-Za-z0-9_][\w./+@-]{0,200}$/.test(ref) && !/\.\.|@\{|\/\/|\/$|\.lock$/.test(ref))) return;
  throw new UserError('bad-input', `${oneLine(JSON.stringify(ref), 80)} is not a branch, a tag or a whole commit.`);
};
