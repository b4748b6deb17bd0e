import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Commit } from '../../../mcp-server/domain/ids.ts';
import type { RunOptions } from '../../../mcp-server/domain/run.ts';
import { checkSteps } from '../../../mcp-server/planning/check-steps.ts';
import { overlaps } from '../../../mcp-server/planning/claims.ts';
import { fitSteps } from '../../../mcp-server/planning/fit-steps.ts';
import { planCacheKey } from '../../../mcp-server/planning/plan-cache-key.ts';
import { rulePlan } from '../../../mcp-server/planning/rule-plan.ts';
import { inOrder, type PlannedStep } from '../../../mcp-server/planning/steps.ts';

const step = (key: string, more: Partial<PlannedStep> = {}): PlannedStep => ({
  key,
  title: key,
  task: `work on ${key} thoroughly`,
  role: 'worker',
  needs: [],
  ...more,
});
const repository = ['README.md', 'src/store/a.ts', 'src/store/b.ts', 'src/queue/c.ts', 'docs/x.md'];
const check = (steps: readonly PlannedStep[], task = 'do it') => checkSteps(steps, { task, files: repository });
const keys = (steps: readonly PlannedStep[]): string => steps.map((one) => one.key).join(' ');

describe('Checking steps', () => {
  it('makes one of two that ask for the same in other words, and keeps both texts', () => {
    const { steps, repaired } = check([
      step('a', { task: 'Write unit tests for the tokenizer and its error messages' }),
      step('b', { task: 'Add unit tests for tokenizer, and its error messages.', files: ['test/t.ts'], needs: ['c'] }),
      step('c'),
      step('d', { needs: ['b'] }),
    ]);
    assert.equal(keys(steps), 'a c d');
    assert.deepEqual([steps[0]?.needs, steps[2]?.needs], [['c'], ['a']]);
    assert.match(steps[0]?.task ?? '', /In other words: Add unit tests/);
    assert.match(repaired[0]?.message ?? '', /Asks for the same as a/);
  });

  it('leaves steps apart that do the same to different things', () => {
    for (const [one, other] of [
      ['Write tests for src/store', 'Write tests for src/queue'],
      ['Translate chapter 1 of the book into German', 'Translate chapter 2 of the book into German'],
      [
        'Summarise the design of the scheduler as told in the documents, with sources and open questions',
        'Summarise the design of the ledger as told in the documents, with sources and open questions',
      ],
    ])
      assert.equal(check([step('a', { task: one ?? '' }), step('b', { task: other ?? '' })]).steps.length, 2, one);
    const same = { task: 'Bring the comments up to the code' };
    const apart = check([step('a', { ...same, files: ['src/a.ts'] }), step('b', { ...same, files: ['src/b.ts'] })]);
    assert.equal(apart.steps.length, 2);
  });

  it('puts steps one after another that would change the same file, and says so', () => {
    const { steps, repaired, doubts } = check([
      step('a', { files: ['src/store/a.ts'] }),
      step('b', { files: ['src/store/'] }),
      step('c', { files: ['src/queue/c.ts'] }),
      step('d', { files: ['src/store/b.ts'], needs: ['a'] }),
    ]);
    assert.deepEqual(
      steps.map((one) => one.needs.join()),
      ['', 'a', '', 'a,b'],
    );
    assert.deepEqual(
      repaired.map((fault) => fault.step),
      ['b', 'd'],
    );
    assert.equal(doubts.length, 0);
    assert.ok(overlaps('src/', 'src/a.ts') && overlaps('./', 'x') && !overlaps('src/a.ts', 'src/a.tsx'));
  });

  it('asks the planner where many steps, or whole trees, are claimed at once', () => {
    const four = check(['a', 'b', 'c', 'd'].map((key) => step(key, { files: ['README.md'] })));
    assert.match(four.doubts[0]?.message ?? '', /a, b, c, d would all change README\.md/);
    assert.ok(four.steps.every((one) => one.needs.length === 0));
    assert.match(
      check([step('a', { files: ['./'] }), step('b', { files: ['./'] })]).doubts[0]?.message ?? '',
      /all change \.\//,
    );
  });

  it('names the parts of the task that no step covers, and steps that are too small or too big', () => {
    const task = 'Release it:\n- write the notes for version 2\n- raise the version number\n- publish the packages';
    const { doubts } = check(
      [
        step('notes', { task: 'Write the notes for version 2 in CHANGELOG.md' }),
        step('version', { task: 'Raise the version number in package.json' }),
        step('x', { task: 'Test' }),
        step('wide', { task: 'Rename it everywhere it occurs', files: ['a/x', 'b/x', 'c/x', 'd/x', 'e/x'] }),
      ],
      task,
    );
    assert.deepEqual(
      doubts.map((doubt) => doubt.step),
      [null, 'x', 'wide'],
    );
    assert.match(doubts[0]?.message ?? '', /No step covers this part of the task: publish the packages/);
    const whole = rulePlan({ task, files: repository, maxSteps: 9 });
    assert.deepEqual(checkSteps(whole, { task, files: repository }).doubts, []);
  });

  it('leaves two alike apart where another step stands between them', () => {
    const same = { task: 'Check every link of the manual' };
    const { steps } = check([
      step('a', same),
      step('b', { needs: ['a'] }),
      step('c', { task: 'Check all links in the manual', needs: ['b'] }),
    ]);
    assert.equal(keys(steps), 'a b c');
    assert.equal(keys(check([step('a', same), step('c', same)]).steps), 'a');
  });

  it('refuses a circle and an empty plan', () => {
    assert.equal(check([]).faults.length, 1);
    assert.match(check([step('a', { needs: ['b'] }), step('b', { needs: ['a'] })]).faults[0]?.message ?? '', /circle/);
  });
});

const fit = (steps: readonly PlannedStep[], workers: number | null, maxSteps = 50) =>
  fitSteps(steps, { workers, maxSteps, files: repository });

describe('Fitting steps to a wished number', () => {
  it('joins the smallest neighbours', () => {
    const long = 'x '.repeat(900);
    const { steps, notes } = fit([step('a', { task: long }), step('b'), step('c'), step('d', { task: long })], 3);
    assert.equal(keys(steps), 'a b d');
    assert.equal(steps[1]?.parts, 2);
    assert.deepEqual(notes, ['4 steps became 3: you wished for 3 workers.']);
  });

  it('splits the biggest along its files, and whoever needed it needs all pieces', () => {
    const { steps, notes } = fit(
      [step('a', { files: ['src/store/a.ts', 'src/store/b.ts', 'docs/x.md'] }), step('b', { needs: ['a'] })],
      4,
    );
    assert.equal(keys(steps), 'a a-2 a-3 b');
    assert.deepEqual(steps[3]?.needs, ['a', 'a-2', 'a-3']);
    assert.deepEqual(
      steps.slice(0, 3).map((one) => one.files),
      [['docs/x.md'], ['src/store/a.ts'], ['src/store/b.ts']],
    );
    assert.match(
      steps[1]?.task ?? '',
      /^work on a thoroughly\n\nYour part of it: only src\/store\/a\.ts\. Other agents/,
    );
    assert.equal(
      steps.slice(0, 3).reduce((sum, one) => sum + (one.parts ?? 1), 0),
      1,
    );
    assert.match(notes[0] ?? '', /2 steps became 4/);
  });

  it('splits along a folder, and along the parts of a task, in their order', () => {
    assert.deepEqual(
      fit([step('a', { files: ['src/'] })], 2).steps.map((one) => one.files),
      [['src/queue/'], ['src/store/']],
    );
    const { steps } = fit([step('a', { task: 'Do:\n- parse the flag\n- show the flag\n- then document it' })], 3);
    assert.deepEqual(
      steps.map((one) => one.task),
      ['Do:\n\nYour part: parse the flag', 'Do:\n\nYour part: show the flag', 'Do:\n\nYour part: then document it'],
    );
    assert.deepEqual(steps[2]?.needs, ['a', 'a-2']);
  });

  it('never makes work up, and says when it cannot be split', () => {
    const { steps, notes } = fit([step('a'), step('b')], 5);
    assert.equal(keys(steps), 'a b');
    assert.deepEqual(notes, ['You wished for 5 workers, but the work could only be split into 2.']);
    assert.deepEqual(fit([step('a')], null).notes, []);
    assert.match(fit([step('a'), step('b')], 9, 2).notes.join(), /You wished for 9 workers; the run allows 2/);
  });

  it('leaves steps alone that have conditions of their own', () => {
    const bound = ['a', 'b', 'c'].map((key) => step(key, { saga: 's' }));
    const { steps, notes } = fit(bound, 1);
    assert.equal(steps.length, 3);
    assert.match(notes.join(' '), /cannot be joined/);
  });

  it('keeps skills, programs and files of joined steps', () => {
    const { steps } = fit(
      [
        step('a', { files: ['a'], skills: ['pdf'], permissions: { commands: { allowed: ['npm'] } } }),
        step('b', { files: ['b'], capabilities: ['sql'], permissions: { commands: 'off' } }),
      ],
      1,
    );
    const [one] = steps;
    assert.deepEqual([one?.files, one?.skills, one?.capabilities], [['a', 'b'], ['pdf'], ['sql']]);
    assert.deepEqual(one?.permissions, { commands: { allowed: ['npm'] } });
  });
});

const word = fc.constantFrom(
  'parse',
  'the',
  'flag',
  'tests',
  'for',
  'store',
  'queue',
  'write',
  'docs',
  'and',
  'it',
  '7',
);
const path = fc.constantFrom('src/', 'src/store/', 'src/store/a.ts', 'docs/', 'README.md', './', 'x/y.ts');
const anySteps = fc
  .array(
    fc.record({
      words: fc.array(word, { minLength: 1, maxLength: 12 }),
      list: fc.boolean(),
      files: fc.option(fc.array(path, { maxLength: 4 }), { nil: undefined }),
      role: fc.constantFrom('worker', 'tester'),
      saga: fc.boolean(),
      needs: fc.array(fc.nat({ max: 20 }), { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((raws) =>
    raws.map((raw, index): PlannedStep => {
      const text = raw.list ? raw.words.map((one, n) => `- ${one} k${index}n${n}`).join('\n') : raw.words.join(' ');
      const needs = raw.needs.filter((need) => need < index).map((need) => `s${need}`);
      return step(`s${index}`, {
        task: text,
        role: raw.role,
        needs: [...new Set(needs)],
        ...(raw.files ? { files: raw.files } : {}),
        ...(raw.saga && index % 7 === 0 ? { saga: 'one' } : {}),
      });
    }),
  );
const allWords = (steps: readonly PlannedStep[]): Set<string> =>
  new Set(steps.flatMap((one) => one.task.split(/[\s:-]+/).filter(Boolean)));

describe('Any steps, checked and fitted', () => {
  it('stay acyclic, distinct, bounded and whole', () => {
    fc.assert(
      fc.property(anySteps, fc.option(fc.integer({ min: 1, max: 30 })), (planned, workers) => {
        const checked = checkSteps(planned, { task: 'do it', files: repository });
        assert.deepEqual(checked.faults, []);
        const { steps } = fitSteps(checked.steps, { workers, maxSteps: 20, files: repository });
        assert.ok(steps.length > 0 && inOrder(steps));
        assert.equal(new Set(steps.map((one) => one.key)).size, steps.length);
        const known = new Set(steps.map((one) => one.key));
        assert.ok(steps.every((one) => one.task.trim() !== '' && one.needs.every((need) => known.has(need))));
        const bound = planned.filter((one) => one.saga).length;
        assert.ok(steps.length <= Math.min(20, workers ?? 20) + 2 * bound);
        const words = allWords(steps);
        for (const one of allWords(planned)) assert.ok(words.has(one), `lost: ${one}`);
      }),
      { numRuns: 300 },
    );
  });

  it('keep whole texts where nothing is split', () => {
    fc.assert(
      fc.property(anySteps, fc.integer({ min: 1, max: 6 }), (planned, workers) => {
        const checked = checkSteps(planned, { task: 'do it', files: repository });
        const { steps } = fitSteps(checked.steps, {
          workers: Math.min(workers, checked.steps.length),
          maxSteps: 20,
          files: repository,
        });
        const flat = (text: string): string => text.toLowerCase().replace(/\s+/g, ' ').trim();
        for (const one of planned)
          assert.ok(
            steps.some((kept) => flat(kept.task).includes(flat(one.task))),
            one.task,
          );
      }),
    );
  });
});

describe('The key of a cached plan', () => {
  const options: RunOptions = {
    budget: 1,
    maxDepth: 3,
    maxAgents: 60,
    maxAgentsPerLevel: 40,
    concurrency: 4,
    server: 'rehearsal',
    model: null,
    permissions: { commands: { allowed: ['npm', 'git'] } },
    unattended: false,
  };
  const commit = 'a'.repeat(40) as Commit;
  const key = (more: Partial<RunOptions> = {}, task = 'do it', skills: readonly string[] = []): string =>
    planCacheKey({ task, commit, options: { ...options, ...more }, skills });

  it('is the same for what no plan depends on, and differs for all that it does', () => {
    assert.equal(key(), key({ budget: 9, concurrency: 99, unattended: true }));
    assert.equal(key({ model: 'm' }), key({ model: 'm', server: 'http://x:1' }));
    assert.equal(key(), key({ permissions: { commands: { allowed: ['git', 'npm'] } }, planning: { gate: 'ask' } }));
    assert.equal(key({}, 'do\r\nit '), key({}, 'do\nit'));
    const others = [
      key({ model: 'm' }),
      key({ server: 'http://x:1' }),
      key({ maxAgents: 5 }),
      key({ permissions: { commands: 'off' } }),
      key({ planning: { workers: 3 } }),
      key({ planning: { pattern: 'saga' } }),
      key({ planning: { domain: 'research' } }),
      key({}, 'do that'),
      key({}, 'do it', ['pdf']),
      planCacheKey({ task: 'do it', commit: 'b'.repeat(40) as Commit, options }),
    ];
    assert.equal(new Set([key(), ...others]).size, others.length + 1);
  });
});
