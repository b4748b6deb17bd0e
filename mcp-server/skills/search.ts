import MiniSearch from 'minisearch';
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

/** Turns texts into vectors of one length, in the same order. It may fail; then the order of words counts. */
export type Embed = (texts: readonly string[]) => Promise<readonly (readonly number[])[]>;

const BOOST = { name: 4, tags: 2.5, description: 2, headings: 1 };
const FIELDS = Object.keys(BOOST);
const SYNONYM_WEIGHT = 0.4;
const RERANKED = 50;
/** A word that stands in more than this share of many skills chooses nothing when there are rarer ones. */
const COMMON_SHARE = 0.2;
const COMMON_LEAST = 300;
const LONGEST_QUERY = 500;
const MOST_TERMS = 12;
/** After so many changes it is quicker to begin anew than to clean up. */
const STALE_SHARE = 0.5;

/** An index over skills that follows their changes; it holds no bodies. */
export class SkillIndex {
  readonly #embed: Embed | undefined;
  #engine = createEngine();
  #held = new Map<string, Searchable>();
  #frequency = new Map<string, number>();
  #discarded = 0;
  #vectors = new WeakMap<Searchable, readonly number[]>();

  constructor(embed?: Embed) {
    this.#embed = embed;
  }

  /** Makes the index hold exactly these. A skill is a changed one when its object is another one. */
  update(skills: readonly Searchable[]): void {
    const wanted = new Map(skills.map((skill) => [skill.name, skill]));
    const gone = [...this.#held.values()].filter((one) => wanted.get(one.name) !== one);
    if (this.#discarded + gone.length > wanted.size * STALE_SHARE) this.#clear();
    else for (const one of gone) this.#remove(one);
    for (const one of wanted.values()) if (this.#held.get(one.name) !== one) this.#add(one);
  }

  /** Best first, at most `limit`. */
  async search(query: string, limit: number): Promise<readonly Found[]> {
    const found = this.#byWords(query.slice(0, LONGEST_QUERY));
    const ranked = this.#embed && found.length > 1 ? await this.#byMeaning(query, found, this.#embed) : found;
    return ranked.slice(0, Math.max(0, limit));
  }

  #clear(): void {
    this.#engine = createEngine();
    this.#held = new Map();
    this.#frequency = new Map();
    this.#discarded = 0;
  }

  #add(skill: Searchable): void {
    this.#engine.add(documentOf(skill));
    this.#held.set(skill.name, skill);
    for (const term of allTerms(skill)) this.#frequency.set(term, (this.#frequency.get(term) ?? 0) + 1);
  }

  #remove(skill: Searchable): void {
    this.#engine.discard(skill.name);
    this.#held.delete(skill.name);
    this.#discarded += 1;
    for (const term of allTerms(skill)) {
      const left = (this.#frequency.get(term) ?? 1) - 1;
      if (left > 0) this.#frequency.set(term, left);
      else this.#frequency.delete(term);
    }
  }

  #byWords(query: string): Found[] {
    const terms = this.#choose(termsOf(query));
    if (terms.length === 0) return [];
    const weights = new Map(terms.map((term) => [term, 1]));
    for (const term of terms)
      for (const other of this.#synonyms(term)) if (!weights.has(other)) weights.set(other, SYNONYM_WEIGHT);
    const last = terms.at(-1);
    const results = this.#engine.search([...weights.keys()].join(' '), {
      tokenize: (text) => text.split(' '),
      processTerm: (term) => term,
      boost: BOOST,
      boostTerm: (term) => weights.get(term) ?? 1,
      prefix: (term) => term.length >= 3 && weights.get(term) === 1 && (term === last || !this.#frequency.has(term)),
      fuzzy: (term) => (this.#frequency.has(term) || term.length < 4 ? false : term.length < 8 ? 1 : 2),
    });
    return results.map(({ id, score }) => ({ name: id as string, score: score * bonus(id as string, terms) }));
  }

  /** Words of which nearly every skill has some are left out, unless there are no others. */
  #choose(terms: readonly string[]): readonly string[] {
    const most = Math.max(COMMON_LEAST, this.#held.size * COMMON_SHARE);
    const of = (term: string): number => this.#frequency.get(term) ?? 0;
    const rare = terms.filter((term) => of(term) <= most);
    const chosen = rare.length > 0 ? rare : terms.toSorted((a, b) => of(a) - of(b)).slice(0, 1);
    return chosen.slice(0, MOST_TERMS);
  }

  #synonyms(term: string): readonly string[] {
    const most = Math.max(COMMON_LEAST, this.#held.size * COMMON_SHARE);
    return synonymsOf(term).filter((other) => (this.#frequency.get(other) ?? Number.POSITIVE_INFINITY) <= most);
  }

  async #byMeaning(query: string, found: readonly Found[], embed: Embed): Promise<readonly Found[]> {
    const top = found.slice(0, RERANKED).flatMap(({ name }) => this.#held.get(name) ?? []);
    const missing = top.filter((skill) => !this.#vectors.has(skill));
    try {
      const [asked, ...made] = await embed([query, ...missing.map((skill) => `${skill.name}: ${skill.description}`)]);
      missing.forEach((skill, at) => void this.#vectors.set(skill, made[at] ?? []));
      if (asked === undefined) return found;
      const near = top.map((skill) => ({ name: skill.name, score: cosine(asked, this.#vectors.get(skill) ?? []) }));
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
const bonus = (name: string, terms: readonly string[]): number => {
  const parts = termsOf(name.replaceAll('-', ' '));
  return parts.length > 0 && parts.every((part) => terms.includes(part)) ? 2 : 1;
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
