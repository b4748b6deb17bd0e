import { setImmediate } from 'node:timers/promises';
import MiniSearch from 'minisearch';
import { Vocabulary } from './vocabulary.ts';
import { synonymsOf, termOf, termsOf, wordsOf } from './words.ts';

/** What is searched of a skill. `id` is its name. */
export interface Searchable {
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly headings: readonly string[];
}

export interface Found {
  readonly name: string;
  /** Higher is better; only comparable within one search. */
  readonly score: number;
}

/**
 * Turns texts into vectors of one length, in the same order. It may fail; then the order of words counts. Each search asks
 * for all that it compares: whoever makes vectors remembers them.
 */
export type Embed = (texts: readonly string[]) => Promise<readonly (readonly number[])[]>;

const BOOST = { name: 4, tags: 3, description: 2, headings: 1 };
const FIELDS = Object.keys(BOOST);
const SYNONYM_WEIGHT = 0.4;
const RERANKED = 50;
/** Skills that the words of one query may hold together; the most common words beyond that would hardly change the order. */
const MOST_HELD = 3000;
/**
 * Fields of skills that one query scores at the most. Only a word that very many skills hold comes to that; then their names
 * and tags have been looked at before the rest.
 */
export const MOST_SCORED = 3000;
/** Skills that are taken in, or out, before others get their turn. */
const SLICE = 200;
const LONGEST_QUERY = 500;
const MOST_TERMS = 12;
/** Words of a query that no skill holds and for which others are looked for. */
const MOST_UNKNOWN = 4;
/** When so many have changed it is quicker to begin anew. */
const STALE_SHARE = 0.5;

/** An index over skills that follows their changes; it holds no bodies. */
export class SkillIndex {
  readonly #embed: Embed | undefined;
  #engine = createEngine();
  #held = new Map<string, Searchable>();
  #vocabulary = new Vocabulary();
  #scored = 0;

  constructor(embed?: Embed) {
    this.#embed = embed;
  }

  /** Makes the index hold exactly these; one update at a time. A skill has changed when its object is another one. */
  async update(skills: readonly Searchable[]): Promise<void> {
    const wanted = new Map(skills.map((skill) => [skill.name, skill]));
    const gone = [...this.#held.values()].filter((one) => wanted.get(one.name) !== one);
    if (gone.length > wanted.size * STALE_SHARE) this.#clear();
    else await inSlices(gone, (one) => this.#remove(one));
    const missing = [...wanted.values()].filter((one) => this.#held.get(one.name) !== one);
    await inSlices(missing, (one) => this.#add(one));
  }

  /** Best first, at most `limit`. */
  async search(query: string, limit: number): Promise<readonly Found[]> {
    const found = this.#byWords(query.slice(0, LONGEST_QUERY), Math.max(limit, RERANKED));
    const ranked = this.#embed && found.length > 1 ? await this.#byMeaning(query, found, this.#embed) : found;
    return ranked.slice(0, Math.max(0, limit));
  }

  /** Fields of skills that the last search looked at: what it cost. */
  get scored(): number {
    return this.#scored;
  }

  #clear(): void {
    this.#engine = createEngine();
    this.#held = new Map();
    this.#vocabulary = new Vocabulary();
  }

  #add(skill: Searchable): void {
    this.#engine.add(documentOf(skill));
    this.#held.set(skill.name, skill);
    this.#vocabulary.add(allTerms(skill));
  }

  /** At once: what is only marked as gone would be cleaned up by a search. */
  #remove(skill: Searchable): void {
    this.#engine.remove(documentOf(skill));
    this.#held.delete(skill.name);
    this.#vocabulary.remove(allTerms(skill));
  }

  #byWords(query: string, most: number): Found[] {
    const weights = this.#weigh(termsOf(query));
    this.#scored = 0;
    if (weights.size === 0) return [];
    const results = this.#engine.search([...weights.keys()].join(' '), {
      tokenize: (text) => text.split(' '),
      processTerm: (term) => term,
      boost: BOOST,
      boostTerm: (term) => weights.get(term) ?? 1,
      boostDocument: () => (this.#scored < MOST_SCORED ? (this.#scored += 1) && 1 : 0),
    });
    const found = results.slice(0, most).map(({ id, score }) => ({ name: id as string, score }));
    return preferNamed(found, weights);
  }

  /** The terms to look for, the rarest first, then what may stand for them; as many as can be looked at quickly. */
  #weigh(terms: readonly string[]): ReadonlyMap<string, number> {
    const of = (term: string): number => this.#vocabulary.count(term);
    const said = terms.filter((term) => of(term) > 0);
    const rarest = said.toSorted((a, b) => of(a) - of(b)).slice(0, MOST_TERMS);
    const weights = new Map<string, number>();
    let left = MOST_HELD;
    const take = (term: string, weight: number): void => {
      if (weights.has(term) || (weights.size > 0 && of(term) > left)) return;
      weights.set(term, weight);
      left -= of(term);
    };
    for (const term of rarest) take(term, 1);
    const unknown = terms.filter((term) => of(term) === 0).slice(0, MOST_UNKNOWN);
    for (const term of unknown) for (const near of this.#vocabulary.near(term)) take(near.term, near.weight);
    const meant = [...rarest, ...unknown];
    for (const term of meant) for (const other of synonymsOf(term)) if (of(other) > 0) take(other, SYNONYM_WEIGHT);
    return weights;
  }

  async #byMeaning(query: string, found: readonly Found[], embed: Embed): Promise<readonly Found[]> {
    const top = found.slice(0, RERANKED).flatMap(({ name }) => this.#held.get(name) ?? []);
    try {
      const [asked, ...made] = await embed([query, ...top.map((skill) => `${skill.name}: ${skill.description}`)]);
      if (asked === undefined) return found;
      const near = top.map(({ name }, at) => ({ name, score: cosine(asked, made[at] ?? []) }));
      if (near.some(({ score }) => Number.isNaN(score))) return found;
      // What was not compared comes after all that was: a cosine is never below -1.
      const rest = found.slice(RERANKED).map(({ name }, at) => ({ name, score: -2 - at }));
      return [...near.sort((a, b) => b.score - a.score), ...rest];
    } catch {
      // Without vectors the order of the words is good enough.
      return found;
    }
  }
}

const inSlices = async <T>(items: readonly T[], work: (item: T) => void): Promise<void> => {
  for (const [at, item] of items.entries()) {
    if (at % SLICE === SLICE - 1) await setImmediate();
    work(item);
  }
};

const createEngine = (): MiniSearch<Record<string, string>> =>
  new MiniSearch<Record<string, string>>({
    idField: 'name',
    fields: FIELDS,
    tokenize: wordsOf,
    processTerm: termOf,
    autoVacuum: false,
  });

const documentOf = ({ name, description, tags, headings }: Searchable): Record<string, string> => ({
  name,
  description,
  tags: tags.join(' '),
  headings: headings.join(' '),
});

const allTerms = (skill: Searchable): readonly string[] => termsOf(Object.values(documentOf(skill)).join(' '));

/** A skill whose whole name was said is what was meant. */
const preferNamed = (found: readonly Found[], weights: ReadonlyMap<string, number>): Found[] => {
  const isNamed = ({ name }: Found): boolean => termsOf(name).every((part) => weights.get(part) === 1);
  const top = found.slice(0, RERANKED).map((one) => (isNamed(one) ? { ...one, score: one.score * 2 } : one));
  return [...top.sort((a, b) => b.score - a.score), ...found.slice(RERANKED)];
};

const cosine = (a: readonly number[], b: readonly number[]): number => {
  if (a.length === 0 || a.length !== b.length) return Number.NaN;
  let dot = 0;
  let left = 0;
  let right = 0;
  for (const [at, one] of a.entries()) {
    const other = b[at] ?? 0;
    dot += one * other;
    left += one * one;
    right += other * other;
  }
  return left === 0 || right === 0 ? Number.NaN : dot / Math.sqrt(left * right);
};
