import { open, readFile, rename, rm } from 'node:fs/promises';
import { z } from 'zod';
import type { Clock } from '../domain/clock.ts';
import { isDenied, messageOf, UserError } from '../domain/errors.ts';
import { type Held, withFileLock } from '../domain/file-lock.ts';
import { oneLine } from '../domain/text.ts';
import type { SkillDiagnostic } from './port.ts';

const Hash = z.string().regex(/^[0-9a-f]{64}$/);
const Count = z.int().min(0);
const OfRepository = z.object({
  /**
   * Skill name → what was granted, for one content only. `unconfined`: knowing that nothing holds its script. A grant from
   * before there was this word is one for what the skill declares, so at worst it is asked for once more.
   */
  trusted: z
    .record(z.string(), z.object({ hash: Hash, at: z.number(), unconfined: z.boolean().optional() }))
    .default({}),
  pinned: z.array(z.string()).default([]),
  uses: z.record(z.string(), Count).default({}),
});
const GrantsFile = z.object({ version: z.literal(1), repositories: z.record(z.string(), OfRepository) });
type GrantsFile = z.infer<typeof GrantsFile>;
type OfRepository = z.infer<typeof OfRepository>;

const VERSION = 1;

export interface GrantsOptions {
  /** Absolute; outside of every repository, because a repository must not bring its own grants. */
  readonly file: string;
  /** The repository's top folder, as the key of what was granted in it. */
  readonly repository: string;
  readonly clock: Clock;
}

/** Opens what the person granted in one repository. Never throws on what the file holds: that is a diagnostic. */
export const openGrants = async (options: GrantsOptions): Promise<Grants> => {
  const grants = new Grants(options);
  await grants.refresh();
  return grants;
};

type Loaded =
  | { readonly kind: 'read'; readonly content: GrantsFile }
  | { readonly kind: 'corrupt'; readonly why: string }
  /** Written by a newer Coppice, or closed to this user: left alone. */
  | { readonly kind: 'foreign'; readonly why: string };

const none = (): OfRepository => ({ trusted: {}, pinned: [], uses: {} });

/** What a person granted to skills in one repository, kept in a file that several processes may share. */
export class Grants {
  readonly #options: GrantsOptions;
  #now: OfRepository = none();
  #diagnostics: readonly SkillDiagnostic[] = [];
  /** Uses that are not in the file yet. */
  #uses = new Map<string, number>();
  #line: Promise<unknown> = Promise.resolve();
  #flush: Promise<void> | null = null;

  constructor(options: GrantsOptions) {
    this.#options = options;
  }

  /** Did the person trust the skill of this name with exactly this content? */
  isTrusted(name: string, hash: string): boolean {
    return hash !== '' && own(this.#now.trusted, name)?.hash === hash;
  }

  /** And did they know that nothing holds its script to what it declares? */
  isUnconfined(name: string, hash: string): boolean {
    return this.isTrusted(name, hash) && own(this.#now.trusted, name)?.unconfined === true;
  }

  isPinned(name: string): boolean {
    return this.#now.pinned.includes(name);
  }

  uses(name: string): number {
    return (own(this.#now.uses, name) ?? 0) + (this.#uses.get(name) ?? 0);
  }

  diagnostics(): readonly SkillDiagnostic[] {
    return this.#diagnostics;
  }

  /** Reads the file again, because another process may have written it. A corrupt one is moved aside, and that is said. */
  refresh(): Promise<void> {
    return this.#inLine(async () => {
      const loaded = await this.#load();
      if (loaded.kind !== 'corrupt') return this.#take(loaded);
      try {
        await this.#locked(async () => this.#take(await this.#loadOrMoveAside()));
      } catch (error) {
        this.#take({
          kind: 'foreign',
          why: `It is damaged (${loaded.why}) and cannot be moved aside: ${messageOf(error)}`,
        });
      }
    });
  }

  async trust(name: string, hash: string, unconfined = false): Promise<void> {
    const granted = { hash: Hash.parse(hash), at: this.#options.clock.now(), ...(unconfined && { unconfined }) };
    await this.#change((now) => ({ ...now, trusted: { ...now.trusted, [name]: granted } }));
  }

  async distrust(name: string): Promise<void> {
    await this.#change((now) => ({ ...now, trusted: without(now.trusted, name) }));
  }

  async pin(name: string, pinned: boolean): Promise<void> {
    await this.#change((now) => {
      const others = now.pinned.filter((one) => one !== name);
      return { ...now, pinned: pinned ? [...others, name].sort() : others };
    });
  }

  /** Counts one use. Uses that come together are written together; one that cannot be written counts in memory. */
  noteUse(name: string): Promise<void> {
    this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
    this.#flush ??= this.#change((now) => now).catch(() => void (this.#flush = null));
    return this.#flush;
  }

  /** Resolves when all that was asked for is in the file. */
  async close(): Promise<void> {
    await this.#line;
  }

  #inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#line.then(work);
    this.#line = done.catch(() => undefined);
    return done;
  }

  #take(loaded: Loaded): void {
    this.#now =
      loaded.kind === 'read' ? (own(loaded.content.repositories, this.#options.repository) ?? none()) : none();
    const kept = this.#diagnostics.filter((one) => one.code === 'grants-corrupt');
    this.#diagnostics = loaded.kind === 'read' ? kept : [...kept, this.#tell('grants-unreadable', loaded.why)];
  }

  #change(change: (now: OfRepository) => OfRepository): Promise<void> {
    const denied = (error: unknown): never => {
      if (!isDenied(error)) throw error;
      const said = `${this.#options.file}, where your grants to skills are kept, cannot be written: ${error.message}`;
      throw new UserError('permission-denied', said, { cause: error });
    };
    return this.#inLine(() => this.#locked((held) => this.#rewrite(change, held)).catch(denied));
  }

  async #rewrite(change: (now: OfRepository) => OfRepository, held: Held): Promise<void> {
    const loaded = await this.#loadOrMoveAside();
    if (loaded.kind !== 'read') throw new UserError('wrong-state', `${this.#options.file}: ${loaded.why}`);
    const { repositories } = loaded.content;
    const { repository } = this.#options;
    const counted = this.#uses;
    this.#uses = new Map();
    this.#flush = null;
    try {
      const changed = addUses(change(own(repositories, repository) ?? none()), counted);
      const content: GrantsFile = { version: VERSION, repositories: { ...repositories, [repository]: changed } };
      await this.#write(content, held);
      this.#take({ kind: 'read', content });
    } catch (error) {
      for (const [name, count] of counted) this.#uses.set(name, (this.#uses.get(name) ?? 0) + count);
      throw error;
    }
  }

  async #load(): Promise<Loaded> {
    let text: string;
    try {
      text = await readFile(this.#options.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        return { kind: 'read', content: { version: 1, repositories: {} } };
      return {
        kind: 'foreign',
        why: `What you granted to skills cannot be read (${messageOf(error)}), so nothing is trusted.`,
      };
    }
    return parseGrants(text);
  }

  /** Only with the lock: whoever else found it corrupt has moved it already. */
  async #loadOrMoveAside(): Promise<Loaded> {
    const loaded = await this.#load();
    if (loaded.kind !== 'corrupt') return loaded;
    const aside = `${this.#options.file}.corrupt-${this.#options.clock.now()}`;
    await rename(this.#options.file, aside);
    const said = `The file of what you granted to skills was damaged (${loaded.why}). It is kept as ${aside}; grant again what you still want.`;
    this.#diagnostics = [...this.#diagnostics, this.#tell('grants-corrupt', said)];
    return { kind: 'read', content: { version: 1, repositories: {} } };
  }

  #tell(code: 'grants-corrupt' | 'grants-unreadable', message: string): SkillDiagnostic {
    return { file: this.#options.file, line: 0, severity: 'warning', code, message };
  }

  async #write(content: GrantsFile, held: Held): Promise<void> {
    const temporary = `${this.#options.file}.${process.pid}.tmp`;
    await rm(temporary, { force: true });
    try {
      const handle = await open(temporary, 'wx', 0o600);
      try {
        await handle.writeFile(`${JSON.stringify(content, null, 2)}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await held.check();
      await rename(temporary, this.#options.file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  #locked<T>(work: (held: Held) => Promise<T>): Promise<T> {
    return withFileLock(`${this.#options.file}.lock`, work, this.#options.clock);
  }
}

const parseGrants = (text: string): Loaded => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { kind: 'corrupt', why: oneLine(messageOf(error), 120) };
  }
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (typeof version === 'number' && version > VERSION)
    return {
      kind: 'foreign',
      why: 'What you granted to skills was written by a newer version. Update Coppice; until then nothing is trusted.',
    };
  const parsed = GrantsFile.safeParse(value);
  if (parsed.success) return { kind: 'read', content: parsed.data };
  return { kind: 'corrupt', why: oneLine(parsed.error.issues[0]?.message ?? 'it is not what it should be', 120) };
};

const own = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;

const without = <T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> =>
  Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));

const addUses = (now: OfRepository, counted: ReadonlyMap<string, number>): OfRepository => {
  const uses = { ...now.uses };
  for (const [name, count] of counted) uses[name] = (own(uses, name) ?? 0) + count;
  return { ...now, uses };
};
