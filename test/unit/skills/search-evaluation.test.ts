import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { discoverSkills } from '../../../mcp-server/skills/discover.ts';
import { SkillIndex } from '../../../mcp-server/skills/search.ts';
import { writeManySkills } from './many-skills.ts';
import { removeFoldersAfterwards, temporaryFolder } from './places.ts';

const BUNDLED = fileURLToPath(new URL('../../../skills', import.meta.url));

/** What people ask, and the skill that they mean; some with slips of the finger. */
const QUERIES: Readonly<Record<string, readonly string[]>> = {
  'repository-map': [
    'give me an overview of this codebase',
    'where is what in this project',
    'I am new here, how is this repo organised',
    'explain the architecture',
    'repositry structure',
    'which folders and languages are there',
    'onboarding',
  ],
  'code-review': [
    'review my pull request',
    'check this diff for mistakes',
    'give feedback on my branch before I merge it',
    'code reveiw',
    'critique these changes',
    'is there a security hole in this patch',
  ],
  'test-writer': [
    'write unit tests',
    'add tests for the parser',
    'our coverage is too low',
    'make a spec for this function',
    'edge cases that nobody tests',
    'pytest',
    'unti tests',
  ],
  refactor: [
    'clean up this messy function',
    'refactoring',
    'remove duplicated code',
    'split a file that is too long',
    'simplify this condition',
    'rename a variable everywhere',
    'technical debt',
  ],
  'bug-hunt': [
    'the program crashes at start',
    'find out why this fails',
    'debug',
    'there is an exception in the log',
    'it gives the wrong result',
    'fix a defect',
    'a test is failing since yesterday',
    'hangs forever',
  ],
  'docs-writer': [
    'write a readme',
    'documentation is outdated',
    'document this function',
    'docstrings',
    'a guide for new users',
    'docmentation',
    'api reference',
  ],
  'commit-message': [
    'what should I write in the commit',
    'commit message for the staged changes',
    'comit mesage',
    'conventional commits',
    'squash and reword my commits',
    'commit msg',
  ],
  'dependency-audit': [
    'are our packages outdated',
    'which libraries do we use',
    'check licences of npm modules',
    'supply chain risk',
    'audit dependencies',
    'dependancy audit',
    'lock file is missing',
  ],
  changelog: [
    'update the changelog',
    'what changed since the last tag',
    'CHANGELOG.md is behind',
    'changes since version 2',
    'change log from git history',
    'fill the unreleased section',
  ],
  'research-synthesis': [
    'summarise these papers',
    'compare three options and tell me which is best',
    'research which database suits us',
    'combine the findings of several reports',
    'literature review',
    'what do the sources say',
  ],
  'data-analysis': [
    'analyse this csv',
    'what is the average of the column',
    'statistics of a table',
    'find outliers in the measurements',
    'spreadsheet',
    'look at the dataset',
    'how many values are missing in the data',
  ],
  'release-notes': [
    'announce the new version',
    'release notes',
    'tell our customers what is new',
    'we ship tomorrow, write the highlights',
    'which version number comes next',
    'publish a release',
    'relese notes',
  ],
};
const ASKED = Object.entries(QUERIES).flatMap(([skill, queries]) => queries.map((query) => ({ skill, query })));

describe('Searching the skills that come with Coppice', () => {
  removeFoldersAfterwards();

  const rankings = async (
    others: number,
  ): Promise<{ readonly ranks: readonly number[]; readonly missed: readonly string[] }> => {
    const repository = temporaryFolder();
    if (others > 0) writeManySkills(repository, others);
    const found = await discoverSkills({ repository, home: null, bundled: BUNDLED, clock: systemClock });
    const index = new SkillIndex();
    await index.update([...found.winners.values()]);
    const missed: string[] = [];
    const ranks: number[] = [];
    for (const { skill, query } of ASKED) {
      const hits = (await index.search(query, 10)).map(({ name }) => name);
      const rank = hits.indexOf(skill);
      ranks.push(rank < 0 ? 10 : rank);
      if (rank < 0 || rank > 2) missed.push(`${query}: ${skill} is not among ${hits.slice(0, 3).join(', ')}`);
    }
    return { ranks, missed };
  };

  it('holds at least sixty questions, for every skill', async () => {
    const found = await discoverSkills({
      repository: dirname(BUNDLED),
      home: null,
      bundled: BUNDLED,
      clock: systemClock,
    });
    assert.ok(ASKED.length >= 60, String(ASKED.length));
    const bundled = [...found.winners.values()].filter(({ source }) => source.kind === 'bundled');
    assert.deepEqual(bundled.map(({ name }) => name).sort(), Object.keys(QUERIES).sort());
  });

  it('finds the one that is meant among the first three, and mostly first', async () => {
    const { ranks, missed } = await rankings(0);
    assert.deepEqual(missed, []);
    const first = ranks.filter((rank) => rank === 0).length;
    assert.ok(first / ranks.length > 0.85, `${first} of ${ranks.length} first`);
  });

  it('still finds most of them among a thousand others', async () => {
    const { ranks } = await rankings(1000);
    const among = ranks.filter((rank) => rank < 3).length;
    assert.ok(among / ranks.length > 0.8, `${among} of ${ranks.length}`);
  });
});
