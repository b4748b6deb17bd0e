import assert from 'node:assert/strict';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { embedInTime } from '../../../mcp-server/skills/embed-in-time.ts';
import { type Embed, MOST_SCORED, type Searchable, SkillIndex } from '../../../mcp-server/skills/search.ts';
import { MOST_NEAR, Vocabulary } from '../../../mcp-server/skills/vocabulary.ts';
import { stem, synonymsOf, termOf } from '../../../mcp-server/skills/words.ts';

const skill = (name: string, description = '', more: Partial<Searchable> = {}): Searchable => ({
  name,
  description,
  tags: [],
  headings: [],
  ...more,
});
const SKILLS = [
  skill('bug-hunt', 'Finds the cause of a failing program.', { tags: ['debugging'] }),
  skill('docs-writer', 'Writes a README and guides.'),
  skill('code-review', 'Reviews changes and reports defects.'),
  skill('image-tools', 'Resizes pictures.', { headings: ['Compressing photos'] }),
  skill('weather', 'Tells tomorrow’s weather.'),
];
const indexOf = async (skills: readonly Searchable[], embed?: Embed): Promise<SkillIndex> => {
  const index = new SkillIndex(embed);
  await index.update(skills);
  return index;
};
const names = async (index: SkillIndex, query: string, limit = 10): Promise<string[]> =>
  (await index.search(query, limit)).map(({ name }) => name);

describe('Searching skills', () => {
  it('finds by name, description, tag and heading, in this order of weight', async () => {
    const index = await indexOf([
      skill('heading', 'Animal.', { headings: ['Zebra'], tags: ['animal'] }),
      skill('text', 'Zebra.', { headings: ['Animal'], tags: ['animal'] }),
      skill('tag', 'Animal.', { headings: ['Animal'], tags: ['zebra'] }),
      skill('zebra', 'Animal.', { headings: ['Animal'], tags: ['animal'] }),
    ]);
    assert.deepEqual(await names(index, 'zebra'), ['zebra', 'tag', 'text', 'heading']);
  });

  it('forgives typing errors and takes the beginning of a word', async () => {
    const index = await indexOf(SKILLS);
    assert.equal((await names(index, 'wether'))[0], 'weather');
    assert.equal((await names(index, 'reveiw'))[0], 'code-review');
    assert.equal((await names(index, 'bgu hutn'))[0], 'bug-hunt');
    assert.equal((await names(index, 'tomor'))[0], 'weather');
  });

  it('finds words of Chinese and Japanese, which no blanks divide', async () => {
    const index = await indexOf([
      skill('translate', '将文本翻译成中文，并检查语法。'),
      skill('pdf', '日本語のPDFファイルを読み込んで要約するスキル'),
      skill('image', '调整图片大小'),
    ]);
    for (const [query, found] of [
      ['翻译', 'translate'],
      ['帮我检查语法', 'translate'],
      ['ファイルの要約', 'pdf'],
      ['pdf', 'pdf'],
      ['图片', 'image'],
    ] as const)
      assert.equal((await names(index, query))[0], found, query);
  });

  it('knows forms of a word and words that mean the same', async () => {
    const index = await indexOf(SKILLS);
    assert.equal((await names(index, 'debug'))[0], 'bug-hunt');
    assert.equal((await names(index, 'reviewing'))[0], 'code-review');
    assert.equal((await names(index, 'documentation'))[0], 'docs-writer');
    assert.equal((await names(index, 'it crashes'))[0], 'bug-hunt');
    assert.ok((await names(index, 'screenshot')).includes('image-tools'));
  });

  it('prefers the words themselves to their synonyms', async () => {
    const index = await indexOf([skill('a', 'Finds a crash.'), skill('b', 'Finds a bug.')]);
    assert.deepEqual(await names(index, 'bug'), ['b', 'a']);
    assert.deepEqual(await names(index, 'crash'), ['a', 'b']);
  });

  it('puts a skill first whose name was said', async () => {
    const index = await indexOf([
      skill('commit', 'a'),
      skill('release', 'Commit message, commit message, commit message.'),
      skill('commit-message', 'x'),
    ]);
    assert.equal((await names(index, 'write a commit message'))[0], 'commit-message');
  });

  it('finds nothing for nothing, and survives any query', async () => {
    const index = await indexOf(SKILLS);
    for (const query of ['', '   ', 'the of a', '!!!', '\0', '😀', 'a'.repeat(100_000), 'x '.repeat(10_000)])
      assert.deepEqual(await names(index, query), [], query.slice(0, 20));
    assert.deepEqual(await names(index, 'bug', 0), []);
  });

  it('follows changes without being made anew', async () => {
    const index = await indexOf(SKILLS);
    const [first, ...others] = SKILLS;
    await index.update([skill('bug-hunt', 'Sings.'), ...others]);
    assert.deepEqual(await names(index, 'cause'), []);
    assert.deepEqual(await names(index, 'sing'), ['bug-hunt']);
    await index.update(others);
    assert.deepEqual(await names(index, 'sing'), []);
    for (let round = 0; round < 10; round += 1) await index.update(first && round % 2 ? [first, ...others] : others);
    assert.equal((await names(index, 'the cause'))[0], 'bug-hunt');
    await index.update([]);
    assert.deepEqual(await names(index, 'bug'), []);
  });

  it('looks at a bounded number of skills, however many hold the words, and at their names first', async () => {
    const many = Array.from({ length: 6000 }, (_, at) =>
      skill(`skill-${at}`, `Common review of part${at} and reviews${at}.`, { tags: ['common'], headings: ['Common'] }),
    );
    const index = await indexOf([...many, skill('review-common', 'Something.')]);
    for (const query of [
      'common',
      'commno',
      'commo',
      'rev',
      'part',
      'common review something',
      'reviews pats1 commmon',
    ]) {
      assert.ok((await names(index, query)).length > 0, query);
      assert.ok(index.scored > 0 && index.scored <= MOST_SCORED, `${query}: ${index.scored}`);
    }
    assert.equal((await names(index, 'common'))[0], 'review-common');
    assert.deepEqual((await names(index, 'common part4711'))[0], 'skill-4711');
    await index.update(many.slice(0, 5000));
    assert.equal((await index.search('common', 1)).length, 1);
    assert.ok(index.scored <= MOST_SCORED);
  });

  it('finds the rare word that was said among many that nobody wrote', async () => {
    const index = await indexOf(SKILLS);
    const unknown = Array.from({ length: 30 }, (_, at) => `qqqq${at}zz`).join(' ');
    assert.deepEqual(await names(index, `${unknown} weather`), ['weather']);
  });

  it('offers few words in the place of one that is not there, the likeliest first', () => {
    const held = new Vocabulary();
    held.add(['review', 'reviewer', 'revert', 'release', ...Array.from({ length: 5000 }, (_, at) => `reveal${at}`)]);
    held.add(['review', 'changelog']);
    const near = (word: string): readonly string[] => held.near(word).map(({ term }) => term);
    assert.deepEqual(near('reveiw'), ['review'], 'two letters swapped');
    assert.deepEqual(near('revieww'), ['review']);
    assert.equal(near('revie')[0], 'review');
    assert.deepEqual(near('chnngeelog'), ['changelog'], 'two slips in a long word');
    assert.deepEqual(near('relxxse'), [], 'two slips in a short one');
    assert.deepEqual(near('re'), [], 'too short for a beginning');
    for (const word of ['rev', 'reveal', 'reveal1', 'reveal12']) assert.ok(near(word).length <= MOST_NEAR, word);
    held.remove(['review']);
    held.remove(['review']);
    assert.equal(held.count('review'), 0);
    assert.ok(!near('revieww').includes('review'));
  });

  it('stems forms of one word to one stem, and short words not at all', () => {
    for (const forms of [
      'test tests testing tested tester',
      'write writes writing writer',
      'commit commits committing committed',
      'dependency dependencies',
      'release releases releasing released',
      'fix fixes fixing fixed',
      'class classes',
    ])
      assert.equal(new Set(forms.split(' ').map(stem)).size, 1, forms);
    for (const word of ['css', 'api', 'bus', 'sing', 'red', 'is', 'c++', 'status', 'analysis'])
      assert.equal(stem(word), word);
    assert.equal(termOf('Überprüfung'), 'uberprufung');
    assert.equal(termOf('the'), null);
    assert.ok(synonymsOf(termOf('bug') ?? '').includes(termOf('crash') ?? ''));
  });
});

describe('Searching skills with embeddings', () => {
  /** Of two dimensions: how much a text is about pictures, and all else. */
  const byPictures: Embed = async (texts) =>
    texts.map((text) => (/pictur|image|art/i.test(text) ? [1, 0.1] : [0.1, 1]));

  it('orders what words have found by meaning', async () => {
    const skills = [skill('paint', 'Makes a new logo, logo, logo.'), skill('image-tools', 'Resizes a logo picture.')];
    assert.deepEqual(await names(await indexOf(skills), 'art logo'), ['paint', 'image-tools']);
    const hits = await (await indexOf(skills, byPictures)).search('art logo', 10);
    assert.deepEqual(
      hits.map(({ name }) => name),
      ['image-tools', 'paint'],
    );
    assert.ok((hits[0]?.score ?? 0) > (hits[1]?.score ?? 0));
  });

  it('asks for fifty skills at most', async () => {
    const asked: number[] = [];
    const skills = Array.from({ length: 120 }, (_, at) => skill(`zebra-${at}`, 'Stripes.'));
    const index = await indexOf(skills, async (texts) => {
      asked.push(texts.length);
      return byPictures(texts);
    });
    const hits = await index.search('zebra', 100);
    assert.equal(hits.length, 100);
    assert.ok(hits.every(({ score }, at) => at === 0 || score <= (hits[at - 1]?.score ?? 0)));
    assert.deepEqual(asked, [51]);
  });

  it('waits for vectors for a bounded time only, and leaves them to the next search', async () => {
    const skills = [skill('paint', 'Makes a new logo, logo, logo.'), skill('image-tools', 'Resizes a logo picture.')];
    const late = Promise.withResolvers<void>();
    let asked = 0;
    const slow = embedInTime(
      systemClock,
      async (texts) => {
        asked += 1;
        await late.promise;
        return byPictures(texts);
      },
      30,
    );
    const index = await indexOf(skills, slow);
    const start = performance.now();
    assert.deepEqual(await names(index, 'art logo'), ['paint', 'image-tools']);
    assert.ok(performance.now() - start < 2_000);
    assert.deepEqual(await names(index, 'art logo'), ['paint', 'image-tools'], 'the first question is still open');
    assert.equal(asked, 1);
    late.resolve();
    await systemClock.sleep(5);
    assert.deepEqual(await names(index, 'art logo'), ['image-tools', 'paint']);
    assert.equal(asked, 2);
    const none = await indexOf(
      skills,
      embedInTime(systemClock, async () => null),
    );
    assert.deepEqual(await names(none, 'art logo'), ['paint', 'image-tools']);
  });

  it('goes by words when the vectors fail or make no sense', async () => {
    const failing: readonly Embed[] = [
      async () => Promise.reject(new Error('down')),
      async () => [],
      async (texts) => texts.map((_, at) => (at === 0 ? [1, 2] : [1])),
      async (texts) => texts.map(() => [0, 0]),
      async (texts) => texts.map(() => [Number.NaN, 1]),
    ];
    const plain = await names(await indexOf(SKILLS), 'bug review');
    for (const embed of failing) assert.deepEqual(await names(await indexOf(SKILLS, embed), 'bug review'), plain);
  });
});
