import SearchableMap from 'minisearch/SearchableMap';

/** A word of the vocabulary that may have been meant; `weight` is 1 for the word itself and less the further away it is. */
export interface NearTerm {
  readonly term: string;
  readonly weight: number;
}

/** Words that may stand for one that is not there; more would only bring what hardly fits. */
export const MOST_NEAR = 8;

const SHORTEST_BEGINNING = 3;
const SHORTEST_SLIP = 4;
const SHORTEST_TWO_SLIPS = 8;
/** Words with one beginning that are compared. */
const MOST_BEGINNINGS = 400;
const BEGINNING_WEIGHT = 0.375;
const SLIP_WEIGHT = 0.45;

/** The terms of an index with the number of skills that hold each, and what somebody may have meant who wrote none of them. */
export class Vocabulary {
  readonly #held = new SearchableMap<number>();

  /** One more skill holds these. */
  add(terms: Iterable<string>): void {
    for (const term of terms) this.#held.set(term, this.count(term) + 1);
  }

  /** One skill less holds these. */
  remove(terms: Iterable<string>): void {
    for (const term of terms) {
      const left = this.count(term) - 1;
      if (left > 0) this.#held.set(term, left);
      else this.#held.delete(term);
    }
  }

  /** Skills that hold the term. */
  count(term: string): number {
    return this.#held.get(term) ?? 0;
  }

  /** What may be meant by a term that is not held, the likeliest first: at most MOST_NEAR, whatever there is. */
  near(term: string): readonly NearTerm[] {
    const swapped = swappedOf(term).find((other) => this.count(other) > 0);
    if (swapped !== undefined) return [{ term: swapped, weight: 1 }];
    const weights = new Map([...this.#slips(term), ...this.#beginnings(term)]);
    return [...weights]
      .map(([near, weight]) => ({ term: near, weight, count: this.count(near) }))
      .sort((a, b) => b.weight - a.weight || b.count - a.count || (a.term < b.term ? -1 : 1))
      .slice(0, MOST_NEAR)
      .map(({ term: near, weight }) => ({ term: near, weight }));
  }

  /** Words that begin with it, as when it is still being typed. */
  #beginnings(term: string): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    if (term.length < SHORTEST_BEGINNING) return found;
    for (const word of this.#held.atPrefix(term).keys()) {
      found.set(word, (BEGINNING_WEIGHT * word.length) / (word.length + 0.3 * (word.length - term.length)));
      if (found.size === MOST_BEGINNINGS) break;
    }
    return found;
  }

  /** Words with a letter more, less or another; two of them only in a long word to which nothing is nearer. */
  #slips(term: string): ReadonlyMap<string, number> {
    if (term.length < SHORTEST_SLIP) return new Map();
    const one = this.#held.fuzzyGet(term, 1);
    const found = one.size > 0 || term.length < SHORTEST_TWO_SLIPS ? one : this.#held.fuzzyGet(term, 2);
    return new Map(
      [...found].map(([word, [, distance]]) => [word, (SLIP_WEIGHT * word.length) / (word.length + distance)]),
    );
  }
}

/** The word with two neighbouring letters the other way round: the commonest slip, and two edits for a fuzzy search. */
const swappedOf = (word: string): string[] =>
  Array.from({ length: word.length - 1 }, (_, at) => word.slice(0, at) + word[at + 1] + word[at] + word.slice(at + 2));
