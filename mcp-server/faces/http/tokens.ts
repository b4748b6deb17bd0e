import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { lstat, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../domain/errors.ts';
import { withFileLock } from '../../domain/file-lock.ts';
import { SCOPES, type Scope } from './scopes.ts';

/** Where the tokens of one repository are kept: outside of it, where no agent's file tools reach. */
export interface TokenPlace {
  /** Names, scopes and digests of all tokens. */
  readonly list: string;
  /** The text of the one that `coppice serve` makes by itself, for scripts of the same user. */
  readonly own: string;
}

/** `base` is the user's folder for settings of Coppice; `root` the repository's. */
export const tokenPlace = (base: string, root: string): TokenPlace => {
  const name = createHash('sha256').update(root).digest('hex').slice(0, 20);
  const folder = join(base, 'serve');
  return { list: join(folder, `${name}.tokens.json`), own: join(folder, `${name}.token`) };
};

const tokenShape = z.strictObject({
  name: z.string(),
  scope: z.enum(SCOPES),
  /** Of the token's text, in hex: whoever reads this file cannot use it. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.number(),
});
const fileShape = z.strictObject({ tokens: z.array(tokenShape) });

/** What is known of a token; its text is not. */
export type StoredToken = z.infer<typeof tokenShape>;

/** The name of the token that `coppice serve` makes by itself. */
export const OWN_TOKEN = 'default';

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** All tokens; none when there is no file yet. Throws UserError when others can read the file or it is damaged. */
export const readTokens = async (list: string): Promise<readonly StoredToken[]> => {
  const text = await readFile(list, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new UserError('permission-denied', `${list} cannot be read: ${error.message}.`);
  });
  if (text === null) return [];
  await refuseOpenFile(list);
  try {
    return fileShape.parse(JSON.parse(text)).tokens;
  } catch (cause) {
    throw new UserError('bad-input', `${list} is damaged. Remove it, and make the tokens anew.`, { cause });
  }
};

/** Makes a token. Returns its text, which is kept nowhere. Throws UserError when the name is taken. */
export const addToken = async (
  place: TokenPlace,
  token: { readonly name: string; readonly scope: Scope; readonly now: number },
): Promise<string> => {
  if (!/^[\w.-]{1,64}$/.test(token.name))
    throw new UserError('bad-input', 'A name of a token has up to 64 letters, digits, dots and hyphens.');
  const text = newText();
  await change(place, (tokens) => {
    if (!tokens.some(({ name }) => name === token.name)) return [...tokens, storedOf(token, text)];
    throw new UserError('bad-input', `There is a token ${token.name} already. Remove it first, or take another name.`);
  });
  return text;
};

/** Takes a token back; at once, for servers that run as well. Throws UserError `not-found`. */
export const removeToken = (place: TokenPlace, name: string): Promise<void> =>
  change(place, async (tokens) => {
    if (!tokens.some((token) => token.name === name)) throw new UserError('not-found', `There is no token ${name}.`);
    if (name === OWN_TOKEN) await rm(place.own, { force: true });
    return tokens.filter((token) => token.name !== name);
  });

/** Sees to it that the own token is there with this scope; made anew when its text is lost or its scope is another. */
export const ensureOwnToken = (place: TokenPlace, scope: Scope, now: number): Promise<void> =>
  change(place, async (tokens) => {
    const stored = tokens.find(({ name }) => name === OWN_TOKEN);
    const kept = await readFile(place.own, 'utf8').catch(() => null);
    if (stored && kept !== null) {
      await refuseOpenFile(place.own);
      if (stored.scope === scope && digestOf(kept.trim()) === stored.sha256) return null;
    }
    const text = newText();
    // The text comes first: a digest without it would be a token that nobody has.
    await writePrivate(place.own, `${text}\n`);
    const others = tokens.filter((token) => token !== stored);
    return [...others, storedOf({ name: OWN_TOKEN, scope, now }, text)];
  });

const newText = (): string => `cop_${randomBytes(32).toString('base64url')}`;

const storedOf = (
  { name, scope, now }: { readonly name: string; readonly scope: Scope; readonly now: number },
  text: string,
): StoredToken => ({ name, scope, sha256: digestOf(text), createdAt: now });

type Changed = readonly StoredToken[] | null;

/** Reads, changes and writes the list while no other process does; null: nothing changes. */
const change = (
  { list }: TokenPlace,
  work: (tokens: readonly StoredToken[]) => Changed | Promise<Changed>,
): Promise<void> =>
  withFileLock(`${list}.lock`, async (held) => {
    const tokens = await work(await readTokens(list));
    await held.check();
    if (tokens !== null) await writePrivate(list, `${JSON.stringify({ tokens }, null, 2)}\n`);
  });

/** A client that has shown a good token. */
export interface TokenHolder {
  readonly id: string;
  readonly name: string;
  readonly scope: Scope;
}

/** Recognises clients. */
export interface TokenBook {
  /** Who holds this token; null: nobody does. */
  find(text: string): Promise<TokenHolder | null>;
  /** Ids that are good now. */
  ids(): Promise<ReadonlySet<string>>;
}

/** A token that is not in the file, such as one from the environment. */
export type GivenToken = Pick<StoredToken, 'name' | 'scope' | 'sha256'>;

/** What came over the engine's socket as such a token. Throws UserError when it is none. */
export const givenToken = (value: unknown): GivenToken => {
  const parsed = tokenShape.omit({ createdAt: true }).safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UserError('bad-input', 'The given token is not one.');
};

/** Reads the file again whenever it has changed, so that a removed token is refused at once. */
export const openTokenBook = (list: string, given: readonly GivenToken[]): TokenBook => {
  let stamp = '';
  let stored: readonly GivenToken[] = [];
  const current = async (): Promise<readonly GivenToken[]> => {
    const found = await stat(list).catch(() => null);
    const now = found ? `${found.ino} ${found.mtimeMs} ${found.size}` : '';
    if (now !== stamp) {
      // A file that is not as it should be lets nobody in.
      stored = await readTokens(list).catch(() => []);
      stamp = now;
    }
    return [...given, ...stored];
  };
  return {
    find: async (text) => {
      const digest = Buffer.from(digestOf(text), 'hex');
      let holder: TokenHolder | null = null;
      // Every one is compared, in the same time each.
      for (const token of await current())
        if (timingSafeEqual(digest, Buffer.from(token.sha256, 'hex'))) holder ??= holderOf(token);
      return holder;
    },
    ids: async () => new Set((await current()).map((token) => holderOf(token).id)),
  };
};

const holderOf = ({ name, scope, sha256 }: GivenToken): TokenHolder => ({
  id: digestOf(`${scope} ${sha256}`).slice(0, 24),
  name,
  scope,
});

const refuseOpenFile = async (path: string): Promise<void> => {
  if (process.platform === 'win32') return;
  const found = await lstat(path);
  if (found.isFile() && (found.mode & 0o077) === 0) return;
  throw new UserError('permission-denied', `${path} can be read by others. Run: chmod 600 ${path}`);
};

/** Written whole or not at all, and never readable by others, not even for a moment. */
const writePrivate = async (path: string, text: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(fresh, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
};
