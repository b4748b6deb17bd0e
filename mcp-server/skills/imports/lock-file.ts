import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { messageOf, UserError } from '../../domain/errors.ts';

/** Where an imported skill came from, so that it can be fetched again. */
export type ImportOrigin =
  | {
      readonly kind: 'git';
      readonly url: string /** As asked for; null: the default branch. */;
      readonly ref: string | null /** Folder in the repository; empty: its top. */;
      readonly path: string;
    }
  | {
      readonly kind: 'clawhub';
      readonly slug: string /** As asked for; null: the latest. */;
      readonly version: string | null;
    }
  | { readonly kind: 'langchain'; readonly spec: string };

/** One line of the lock file. */
export interface LockedSkill {
  readonly name: string;
  readonly origin: ImportOrigin;
  /** What exactly was imported: a commit, a version, `package@version`. */
  readonly pin: string;
  /** sha256 over all files, as they were imported. */
  readonly hash: string;
  /** Path → sha256, to tell which files were changed by hand. */
  readonly files: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly importedAt: string;
}

const HASH = z.string().regex(/^[0-9a-f]{64}$/);
const SCHEMA = z.object({
  version: z.literal(1),
  skills: z.array(
    z.object({
      name: z
        .string()
        .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/)
        .max(64),
      origin: z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('git'), url: z.string(), ref: z.string().nullable(), path: z.string() }),
        z.object({ kind: z.literal('clawhub'), slug: z.string(), version: z.string().nullable() }),
        z.object({ kind: z.literal('langchain'), spec: z.string() }),
      ]),
      pin: z.string(),
      hash: HASH,
      files: z.record(z.string(), HASH),
      importedAt: z.string(),
    }),
  ),
});

/** Imported skills, sorted by name. No file: none. Throws UserError `wrong-state` for a file that cannot be read, and keeps it. */
export const readLock = async (file: string): Promise<readonly LockedSkill[]> => {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unreadable(file, messageOf(error), error);
  }
  try {
    const { skills } = SCHEMA.parse(JSON.parse(text));
    const names = new Set(skills.map(({ name }) => name));
    if (names.size !== skills.length) throw new Error('a name is in it twice');
    return skills.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error).split('\n')[0] : messageOf(error);
    throw unreadable(file, why ?? '', error);
  }
};

const unreadable = (file: string, why: string, cause: unknown): UserError =>
  new UserError(
    'wrong-state',
    `The list of imported skills, ${file}, cannot be read: ${why}. Nothing was changed. Mend it, or move it away; then the skills stay, but Coppice no longer knows where they came from.`,
    { cause },
  );

/** Replaces the file in one step, so that a reader sees the old list or the new one. */
export const writeLock = async (file: string, skills: readonly LockedSkill[]): Promise<void> => {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.new`;
  const sorted = skills.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  // A link that lies there must not lead what is written to somewhere else.
  await rm(temporary, { force: true });
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify({ version: 1, skills: sorted }, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
};
