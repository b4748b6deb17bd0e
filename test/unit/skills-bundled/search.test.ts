import assert from 'node:assert/strict';
import { type Searchable, SkillIndex } from '../../../mcp-server/skills/search.ts';
import { bundledNames, parseBundled } from './bundled.ts';
import { otherSkills } from './other-skills.ts';
import { queries } from './queries.ts';

interface Score {
  readonly first: number;
  /** What was not among the first three, in words. */
  readonly missed: readonly string[];
}

const evaluate = async (skills: readonly Searchable[]): Promise<Score> => {
  const index = new SkillIndex();
  await index.update(skills);
  let first = 0;
  const missed: string[] = [];
  for (const { ask, expected } of queries) {
    const names = (await index.search(ask, 12)).map(({ name }) => name);
    if (names[0] === expected) first += 1;
    if (!names.slice(0, 3).includes(expected))
      missed.push(`"${ask}" should find ${expected}, and finds ${names.slice(0, 3).join(', ') || 'nothing'}`);
  }
  return { first, missed };
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
});
