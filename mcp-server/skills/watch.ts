import { type FSWatcher, watch } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface SkillWatchOptions {
  /** Something below a watched folder may have changed. Comes often; whoever listens waits a little. */
  readonly onChange: () => void;
  /** One watcher sees a folder with all below it; where false, every folder needs its own. */
  readonly recursive: boolean;
  /** Folders watched at the most. */
  readonly most: number;
}

interface Watched {
  readonly watcher: FSWatcher;
  /** Only entries of these names count; null: all do. */
  readonly names: Set<string> | null;
  /** Of the last scan that asked for it. */
  scan: number;
}

/**
 * Watches the folders that a scan goes through. Between begin() and end() the scan says which folders matter, each before
 * it is read; those that were not named any more are let go at the end. It keeps no process alive.
 */
export class SkillWatch {
  readonly #options: SkillWatchOptions;
  readonly #watched = new Map<string, Watched>();
  /** Recursive watchers' folders. */
  readonly #trees = new Set<string>();
  /** Paths that were made, renamed or removed: a watcher of an older folder of the same name is deaf. */
  readonly #moved = new Set<string>();
  #scan = 0;
  #limited = false;
  #closed = false;

  constructor(options: SkillWatchOptions) {
    this.#options = options;
  }

  /** Some folders are not watched, because the system or the bound allows no more. */
  get limited(): boolean {
    return this.#limited;
  }

  begin(): void {
    this.#scan += 1;
    this.#limited = false;
    if (this.#moved.size > 0) {
      for (const path of this.#watched.keys()) if (this.#isDeaf(path)) this.#drop(path);
    }
    this.#moved.clear();
  }

  /** Notices when `base/path` appears or goes away, whatever part of it is missing now. */
  async awaitRoot(base: string, path: string): Promise<void> {
    let folder = base;
    for (const name of path.split('/').filter(Boolean)) {
      this.#watch(folder, name);
      folder = join(folder, name);
      if (!(await lstat(folder).catch(() => null))?.isDirectory()) return;
    }
  }

  /** Notices changes of the entries of this folder; `tree`: it is the top of what a scan reads. */
  see(folder: string, tree = false): void {
    if (this.#options.recursive && !tree && this.#inTree(folder)) return;
    this.#watch(folder, null);
  }

  end(): void {
    for (const [path, { scan }] of this.#watched) if (scan !== this.#scan) this.#drop(path);
  }

  close(): void {
    this.#closed = true;
    for (const path of this.#watched.keys()) this.#drop(path);
  }

  #inTree(folder: string): boolean {
    for (let at = folder; ; at = dirname(at)) {
      if (this.#trees.has(at)) return true;
      if (dirname(at) === at) return false;
    }
  }

  #isDeaf(path: string): boolean {
    for (let at = path; ; at = dirname(at)) {
      if (this.#moved.has(at)) return true;
      if (dirname(at) === at) return false;
    }
  }

  #watch(folder: string, name: string | null): void {
    const known = this.#watched.get(folder);
    if (known && (known.names === null || name !== null)) {
      known.scan = this.#scan;
      if (name !== null) known.names?.add(name);
      return;
    }
    if (known) this.#drop(folder);
    this.#open(folder, name === null ? null : new Set([...(known?.names ?? []), name]));
  }

  #open(folder: string, names: Set<string> | null): void {
    if (this.#closed) return;
    if (this.#watched.size >= this.#options.most) {
      this.#limited = true;
      return;
    }
    const recursive = this.#options.recursive && names === null;
    try {
      const watcher = watch(folder, { persistent: false, recursive }, (event, name) =>
        this.#heard(folder, event, name),
      );
      watcher.on('error', () => this.#failed(folder));
      this.#watched.set(folder, { watcher, names, scan: this.#scan });
      if (recursive) this.#trees.add(folder);
    } catch (error) {
      // A folder that is gone is no loss; every other reason means that changes may be missed.
      if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) this.#limited = true;
    }
  }

  #heard(folder: string, event: 'rename' | 'change', name: string | null): void {
    if (this.#closed) return;
    const names = this.#watched.get(folder)?.names;
    if (names && (event !== 'rename' || (name !== null && name !== basename(folder) && !names.has(name)))) return;
    if (event === 'rename') {
      if (name === null || name === basename(folder)) this.#moved.add(folder);
      if (name !== null) this.#moved.add(join(folder, name));
    }
    this.#options.onChange();
  }

  #failed(folder: string): void {
    this.#drop(folder);
    if (!this.#closed) this.#options.onChange();
  }

  #drop(path: string): void {
    this.#watched.get(path)?.watcher.close();
    this.#watched.delete(path);
    this.#trees.delete(path);
  }
}
