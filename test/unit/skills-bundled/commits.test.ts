import assert from 'node:assert/strict';
import { z } from 'zod';
import { makeRepository } from '../../support/repository.ts';
import { complaintOf, manifestOf, runBundled } from './run-bundled.ts';

interface Changelog {
  readonly version: string | null;
  readonly markdown: string;
  readonly sections: readonly { readonly title: string; readonly items: number }[];
  readonly breaking: readonly { readonly text: string; readonly note: string | null }[];
  readonly commits: number;
  readonly guessed: number;
  readonly leftOut: readonly { readonly subject: string; readonly why: string }[];
  readonly leftOutCount: number;
  readonly notes: readonly string[];
}
interface ReleaseNotes {
  readonly version: string | null;
  readonly bump: string;
  readonly markdown: string;
  readonly highlights: readonly { readonly text: string; readonly breaking: boolean }[];
  readonly counts: Readonly<Record<string, number>>;
  readonly contributors: readonly { readonly name: string; readonly commits: number }[];
}

const run = (name: string, input: object): unknown => {
  const result = runBundled(name, input);
  z.fromJSONSchema(manifestOf(name).manifest.output as never).parse(result);
  return result;
};
const changelog = (input: object): Changelog => run('changelog', input) as Changelog;
const notes = (input: object): ReleaseNotes => run('release-notes', input) as ReleaseNotes;

describe('the script of changelog', () => {
  it('groups conventional commits in the order of keep-a-changelog, breaking ones first', () => {
    const { markdown, breaking, guessed } = changelog({
      version: 'v1.3.0',
      date: '2026-01-31',
      commits: [
        'fix(ui): keep the cursor (#12)',
        'feat: export as PDF.',
        'feat(api)!: drop version 1\n\nBREAKING CHANGE: use version 2,\nwhich has the same calls.\n\nRefs: #3',
        'perf: load twice as fast',
        'security: escape names',
        'chore: tidy',
      ],
    });
    assert.equal(
      markdown,
      [
        '## [1.3.0] - 2026-01-31',
        '### Added\n- **Breaking:** api: Drop version 1. Use version 2, which has the same calls.\n- Export as PDF.',
        '### Changed\n- Load twice as fast.',
        '### Fixed\n- ui: Keep the cursor. (#12)',
        '### Security\n- Escape names.',
      ].join('\n\n'),
    );
    assert.deepEqual(
      breaking.map(({ text, note }) => [text, note]),
      [['Drop version 1', 'use version 2, which has the same calls.']],
    );
    assert.equal(guessed, 0);
  });

  it('guesses from plain words, and counts its guesses', () => {
    const { sections, guessed, markdown } = changelog({
      log: 'abc1234 Add a search box\nabc1235 Fixed the crash on save\nabc1236 Remove the old menu\nabc1237 Deprecate --fast\nabc1238 Prevent XSS in names\nabc1239 Let lists be sorted\n',
    });
    assert.deepEqual(
      sections.map(({ title, items }) => [title, items]),
      [
        ['Added', 1],
        ['Changed', 1],
        ['Deprecated', 1],
        ['Removed', 1],
        ['Fixed', 1],
        ['Security', 1],
      ],
    );
    assert.equal(guessed, 6);
    assert.match(markdown, /^## \[Unreleased\]\n/);
  });

  it('leaves out merges, fixups, repeats, what was reverted, and what users do not see', () => {
    const { leftOut, markdown, leftOutCount } = changelog({
      commits: [
        { hash: 'aaaaaaa1', subject: 'Revert "feat: bad idea"', body: 'This reverts commit bbbbbbb2.' },
        { hash: 'bbbbbbb2', subject: 'feat: bad idea' },
        "Merge branch 'main' into x",
        'fixup! feat: good idea',
        'feat: good idea',
        'feat: Good idea (#7)',
        'v1.2.3',
        'test: more of them',
        'revert: feat: from an older release',
      ],
    });
    assert.equal(markdown, '## [Unreleased]\n\n### Added\n- Good idea.\n\n### Changed\n- Feat: from an older release.');
    assert.deepEqual(
      new Map(leftOut.map(({ subject, why }) => [subject, why])),
      new Map([
        ["Merge branch 'main' into x", 'is a merge, a fixup or a release'],
        ['fixup! feat: good idea', 'is a merge, a fixup or a release'],
        ['feat: Good idea (#7)', 'says the same as another commit'],
        ['v1.2.3', 'is a merge, a fixup or a release'],
        ['feat: bad idea', 'was reverted'],
        ['Revert "feat: bad idea"', 'reverts a commit of the same range'],
        ['test: more of them', 'changes nothing for users'],
      ]),
    );
    assert.equal(leftOutCount, 7);
  });

  it('lists internal changes when asked, and breaking ones always', () => {
    const commits = ['refactor: split a file', 'build!: need Node 24', 'docs: say more'];
    assert.deepEqual(changelog({ commits }).sections, [{ title: 'Changed', items: 1 }]);
    assert.deepEqual(changelog({ commits, internal: true }).sections, [
      { title: 'Changed', items: 1 },
      { title: 'Internal', items: 2 },
    ]);
  });

  it('reads what git log really writes, in its short and its long form', () => {
    const repository = makeRepository();
    try {
      for (const message of [
        'feat(cli): add --json\n\nLonger words.\n\nBREAKING CHANGE: the text output is gone',
        'fix: "quotes" & <signs>',
      ]) {
        repository.write('a.txt', message);
        repository.commit(message);
      }
      const long = changelog({ log: repository.git('log', '-2') });
      const short = changelog({ log: repository.git('log', '-2', '--format=%h %s') });
      assert.match(
        long.markdown,
        /### Added\n- \*\*Breaking:\*\* cli: Add --json\. The text output is gone\.\n\n### Fixed\n- "quotes" & <signs>\./,
      );
      assert.match(short.markdown, /### Added\n- cli: Add --json\.\n\n### Fixed/);
      assert.equal(long.commits, 2);
      const { contributors } = notes({ log: repository.git('log', '-2') });
      assert.deepEqual(contributors, [{ name: 'Person', commits: 2 }]);
    } finally {
      repository.remove();
    }
  });

  it('keeps to its bounds, and says how many changes are missing', () => {
    const commits = Array.from({ length: 1000 }, (_, n) => `feat: change number ${n}`);
    const result = changelog({ commits });
    assert.ok(JSON.stringify(result).length <= 7500);
    assert.match(result.notes.join(), /changes are missing in the text/);
    assert.deepEqual(result.sections, [{ title: 'Added', items: 1000 }]);
    assert.match(complaintOf('changelog', { commits: Array.from({ length: 5001 }, () => 'x') }), /at most 5000/);
  });

  it('says what is wrong with its input', () => {
    assert.match(complaintOf('changelog', {}), /Give either "commits"/);
    assert.match(complaintOf('changelog', { commits: 'fix: a' }), /"commits" must be a list/);
    assert.match(complaintOf('changelog', { commits: [3] }), /Each of "commits"/);
    assert.match(complaintOf('changelog', { log: '', date: 'today' }), /"date" must be like/);
    assert.equal(changelog({ log: '\n' }).markdown, '## [Unreleased]');
  });
});

describe('the script of release-notes', () => {
  const commits = [
    { subject: 'feat(editor): fold sections (#4)', author: 'Ann <ann@example.com>' },
    { subject: 'fix: no crash on empty files', author: 'Bob' },
    { subject: 'fix(editor): keep folds', author: 'Ann' },
    { subject: 'chore(deps): bump a', author: 'dependabot[bot]' },
  ];

  it('drafts notes for people, with what is new before what is fixed, and counts the rest', () => {
    const result = notes({ commits, previous: '1.4.2', name: 'Pencil' });
    assert.equal(
      result.markdown,
      '# Pencil 1.5.0\n\nTODO: two sentences on what is new, for users.\n\n## New\n\n- **editor:** Fold sections (#4)\n\n## Fixed\n\n- No crash on empty files\n- **editor:** Keep folds',
    );
    assert.deepEqual(result.counts, { commits: 4, new: 1, fixed: 2, behindTheScenes: 1 });
    assert.deepEqual(result.contributors, [
      { name: 'Ann', commits: 2 },
      { name: 'Bob', commits: 1 },
    ]);
    assert.equal(result.highlights[0]?.text, 'Fold sections');
  });

  it('proposes the version by the kinds of the changes, gently below 1.0.0', () => {
    const proposed = (list: readonly string[], previous: string): readonly (string | null)[] => {
      const { bump, version } = notes({ commits: list, previous });
      return [bump, version];
    };
    assert.deepEqual(proposed(['fix: a'], 'v1.4.2'), ['patch', 'v1.4.3']);
    assert.deepEqual(proposed(['fix: a', 'feat: b'], '1.4.2'), ['minor', '1.5.0']);
    assert.deepEqual(proposed(['fix!: a'], '1.4.2'), ['major', '2.0.0']);
    assert.deepEqual(proposed(['fix!: a'], '0.4.2'), ['minor', '0.5.0']);
    assert.deepEqual(proposed(['feat: a'], '0.4.2'), ['patch', '0.4.3']);
    assert.deepEqual(proposed(['docs: a'], '1.0.0'), ['none', null]);
    assert.equal(notes({ commits: ['fix: a'], previous: '1.0.0', version: '3.0.0' }).version, '3.0.0');
  });

  it('puts breaking changes first, and asks for the step when no commit names it', () => {
    const { markdown, highlights } = notes({
      commits: ['feat: a', 'feat(api)!: b', { subject: 'fix: c', body: 'BREAKING CHANGE: do d' }],
      version: '2.0.0',
    });
    assert.match(
      markdown,
      /## Before you update\n\n- \*\*api:\*\* B\n {2}What to do: TODO\n- C\n {2}What to do: do d\n\n## New\n\n- A$/,
    );
    assert.deepEqual(
      highlights.map(({ text }) => text),
      ['B', 'C', 'A'],
    );
  });

  it('keeps to its bounds, and says how many there are more', () => {
    const many = Array.from({ length: 900 }, (_, n) => `fix: something long enough to matter, number ${n}`);
    const result = notes({ commits: many, previous: '1.0.0' });
    assert.match(result.markdown, /- and 870 more$/);
    assert.ok(JSON.stringify(notes({ commits: many, max_items: 500, max_chars: 2000 })).length <= 2000);
    assert.match(complaintOf('release-notes', { commits: [], previous: 1 }), /"previous" must be text/);
  });
});
