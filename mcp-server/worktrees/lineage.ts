import type { Commit } from '../domain/ids.ts';

/** What is forgotten beyond it, git still knows. */
const MOST = 10_000;

interface Made {
  readonly parents: readonly Commit[];
  /** The how-manieth it was. */
  readonly at: number;
}

/**
 * The parents of commits that were made here, so that git need not be started to be asked what came of what. It is also
 * known what did not: a commit that was there before another one was made cannot come of it. (One that another process
 * made before, byte for byte, can; then `false` may be wrong, which keeps more than is needed, or makes a merge that changes nothing.)
 */
export class Lineage {
  readonly #made = new Map<Commit, Made>();
  /** Parents, with the first of their children: they were there before it. */
  readonly #seen = new Map<Commit, number>();
  #count = 0;

  add(commit: Commit, parents: readonly Commit[]): void {
    if (this.#made.has(commit)) return;
    this.#count += 1;
    this.#made.set(commit, { parents, at: this.#count });
    for (const parent of parents) if (!this.#seen.has(parent)) this.#seen.set(parent, this.#count);
    dropOldest(this.#made);
    dropOldest(this.#seen);
  }

  /** Whether the first is reachable from the second, or is it; null when that cannot be told here. */
  leads(ancestor: Commit, descendant: Commit): boolean | null {
    const made = this.#made.get(ancestor)?.at ?? 0;
    let isCertain = true;
    const reached = new Set([descendant]);
    for (const commit of reached) {
      if (commit === ancestor) return true;
      const parents = this.#made.get(commit)?.parents;
      for (const parent of parents ?? []) reached.add(parent);
      if (!parents && (this.#seen.get(commit) ?? Number.POSITIVE_INFINITY) > made) isCertain = false;
    }
    return isCertain ? false : null;
  }
}

const dropOldest = (map: Map<Commit, unknown>): void => {
  for (const oldest of map.keys()) {
    if (map.size <= MOST) return;
    map.delete(oldest);
  }
};
