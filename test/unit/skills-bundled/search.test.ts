import assert from 'node:assert/strict';
import { type Searchable, SkillIndex } from '../../../mcp-server/skills/search.ts';
import { bundledNames, parseBundled } from './bundled.ts';
import { otherSkills } from './other-skills.ts';
import { type Query, queries } from './queries.ts';

interface Score {
  readonly first: number;
  /** What was not among the first three, in words. */
  readonly missed: readonly string[];
}

const evaluate = async (skills: readonly Searchable[], asked: readonly Query[] = queries): Promise<Score> => {
  const index = new SkillIndex();
  await index.update(skills);
  let first = 0;
  const missed: string[] = [];
  for (const { ask, expected } of asked) {
    const names = (await index.search(ask, 12)).map(({ name }) => name);
    if (names[0] === expected) first += 1;
    if (!names.slice(0, 3).includes(expected))
      missed.push(`"${ask}" should find ${expected}, and finds ${names.slice(0, 3).join(', ') || 'nothing'}`);
  }
  return { first, missed };
};

/** A slip of the finger in the word: a letter is missing, doubled or another one, or two are swapped. */
const slips: readonly ((word: string, at: number) => string)[] = [
  (word, at) => word.slice(0, at) + word.slice(at + 1),
  (word, at) => word.slice(0, at) + word[at] + word.slice(at),
  (word, at) => `${word.slice(0, at)}x${word.slice(at + 1)}`,
  (word, at) => word.slice(0, at) + word[at + 1] + word[at] + word.slice(at + 2),
];

/** The question with its longest word mistyped in each of these ways; a short word is left alone. */
const mistyped = ({ ask, expected }: Query, number: number): readonly Query[] => {
  const longest = ask.split(' ').toSorted((a, b) => b.length - a.length)[0] ?? '';
  if (longest.length < 5) return [];
  const at = 1 + ((number * 7) % (longest.length - 2));
  return slips.map((slip) => ({ ask: ask.replace(longest, () => slip(longest, at)), expected }));
};

describe('search over the bundled skills', () => {
  const bundled = bundledNames.map(parseBundled);

  it('is asked at least six things of every skill, none of them twice', () => {
    for (const name of bundledNames) assert.ok(queries.filter(({ expected }) => expected === name).length >= 6, name);
    assert.ok(queries.every(({ expected }) => bundledNames.includes(expected)));
    assert.equal(new Set(queries.map(({ ask }) => ask.toLowerCase())).size, queries.length);
    assert.ok(queries.length >= 72);
  });

  it('finds the expected skill among the first three, and mostly first', async () => {
    const { first, missed } = await evaluate(bundled);
    assert.deepEqual(missed, []);
    assert.ok(first >= queries.length * 0.85, `${first} of ${queries.length} are first`);
  });

  it('still finds nearly all of them with forty other skills installed', async () => {
    const { first, missed } = await evaluate([...bundled, ...otherSkills]);
    assert.ok(missed.length <= queries.length * 0.05, missed.join('\n'));
    assert.ok(first >= queries.length * 0.8, `${first} of ${queries.length} are first`);
  });

  it('finds the expected skill when the longest word is mistyped, in nearly all of four hundred cases', async () => {
    const asked = queries.flatMap(mistyped);
    assert.ok(asked.length >= 400, String(asked.length));
    const { missed } = await evaluate(bundled, asked);
    assert.ok(missed.length <= asked.length * 0.03, `${missed.length} of ${asked.length}:\n${missed.join('\n')}`);
  });
});
