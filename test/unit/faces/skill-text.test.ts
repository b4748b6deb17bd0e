import assert from 'node:assert/strict';
import type { DraftView, SkillText, SkillView } from '../../../mcp-server/engine/skills-facade.ts';
import {
  checkedLine,
  draftList,
  draftPage,
  draftTestLines,
  foundLines,
  problemLine,
  resultText,
  skillList,
  skillPage,
  trustPage,
} from '../../../mcp-server/faces/cli/skill-text.ts';

const view = (name: string, patch: Partial<SkillView> = {}): SkillView => ({
  name,
  description: `What ${name} does.`,
  tags: [],
  source: 'workspace',
  root: '/r/.coppice/skills',
  state: 'trusted',
  kind: 'instructions',
  folder: `/r/.coppice/skills/${name}`,
  file: `/r/.coppice/skills/${name}/SKILL.md`,
  hash: 'f'.repeat(64),
  tokens: 120,
  pinned: false,
  uses: 0,
  permissions: { read: [], write: [], commands: [], hosts: [] },
  tools: [],
  may: [],
  hold: null,
  held: null,
  ...patch,
});
const text = (patch: Partial<SkillView> = {}): SkillText => ({
  skill: view('add', { kind: 'script', may: ['run its script run.mjs', 'read src/**'], ...patch }),
  body: '# Add\n\nGive two numbers.\n',
  files: ['manifest.json', 'run.mjs'],
  input: { type: 'object' },
  output: null,
});
const problem = {
  file: '/r/a/SKILL.md',
  line: 2,
  severity: 'warning',
  code: 'unknown-key',
  message: 'Not\na key.',
} as const;

describe('skills in the terminal', () => {
  it('are shown with what cannot be seen written out, before anybody trusts them', () => {
    const shown = text({ description: 'Adds\u202e.', folder: '/r/\u200badd', may: ['write a\u2066b'] });
    for (const page of [
      skillPage({ ...shown, body: 'Go\u{e0041}.' }),
      trustPage({ ...shown, files: ['a\u202eb.md'] }),
    ]) {
      assert.doesNotMatch(page, /(?!\n)[\p{Cc}\p{Cf}]/u);
      assert.match(page, /<U\+202E>[^]*<U\+200B>[^]*<U\+2066>/);
    }
  });

  it('are listed by where they are from, with state, tokens and use; then what was imported', () => {
    const skills = [
      view('add', { state: 'needs-review', kind: 'script' }),
      view('map', { source: 'bundled', state: 'bundled', pinned: true, uses: 3, tokens: 1200 }),
      view('old', { source: 'draft', state: 'draft' }),
    ];
    const imported = [
      { name: 'add', from: '/src', kind: 'git', pin: 'a'.repeat(40), state: 'changed-by-hand', importedAt: '' },
    ] as const;
    assert.equal(
      skillList({ skills, imported }, 100),
      [
        'Of this repository',
        '  add  needs review   120 tokens  (script) What add does.',
        '',
        'That come with Coppice',
        '  map  bundled       1.2k tokens  (pinned, used 3 times) What map does.',
        '',
        'Drafts by agents',
        '  old  draft          120 tokens  What old does.',
        '',
        'Imported',
        '  add from /src, at aaaaaaaaaaaa, changed by hand',
      ].join('\n'),
    );
    assert.equal(skillList({ skills: [], imported: [] }, 80), 'There are no skills.');
  });

  it('never command the terminal, and keep to its width', () => {
    const evil = view('add', {
      description: 'Red \u001b[31m\u009b1m\nand a second line that is far too long for this',
    });
    const lines = skillList({ skills: [evil], imported: [] }, 60).split('\n');
    assert.equal(lines.length, 2);
    assert.equal(lines[1]?.length, 60);
    const page = skillPage({ ...text({ description: 'a\u001b]0;x\u0007b' }), body: 'x\u001b[2Jy' });
    // oxlint-disable-next-line no-control-regex -- that there are none is the point
    assert.doesNotMatch(lines.join('\n') + page, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  it('are found with what keeps them from being used', () => {
    const found = [
      { name: 'add', mark: 'needs review', line: 'Adds.' },
      { name: 'subtract', mark: '', line: 'Takes away.' },
    ];
    assert.equal(foundLines(found, 80, 'None.'), 'add       [needs review] Adds.\nsubtract  Takes away.');
    assert.equal(foundLines([], 80, 'None.'), 'None.');
  });

  it('show what they may do, their files and their hash before they are trusted', () => {
    const page = trustPage(text({ state: 'needs-review' }));
    for (const part of [
      /^add: What add does\.$/m,
      /^State: +needs review, runs a script$/m,
      /^Files: +SKILL\.md, manifest\.json, run\.mjs$/m,
      /^It may: +run its script run\.mjs; read src\/\*\*$/m,
      /^Hash: +f{64}$/m,
    ])
      assert.match(page, part);
    assert.match(trustPage({ ...text({ may: [] }) }), /^It may: +instruct agents, and nothing else$/m);
    assert.match(skillPage(text()), /Input: +\{"type":"object"\}\n\n# Add\n\nGive two numbers\.$/);
  });

  it('have problems as compilers print them, counted from one', () => {
    assert.equal(problemLine(problem, '/r'), 'a/SKILL.md:3:1: warning: Not a key. (unknown-key)');
    assert.match(problemLine({ ...problem, column: 6 }, '/r'), /^a\/SKILL\.md:3:7: warning: /);
    assert.equal(problemLine(problem, '/q'), '/r/a/SKILL.md:3:1: warning: Not a key. (unknown-key)');
    assert.equal(checkedLine([problem, problem, { severity: 'error' }], 3), '3 skills checked: 1 error, 2 warnings.');
    assert.equal(checkedLine([], 1), '1 skill checked: no problems.');
  });

  it('return a text as it is, and anything else as JSON', () => {
    assert.equal(resultText('hello'), 'hello');
    assert.equal(resultText({ content: '42' }), '42');
    assert.equal(resultText({ sum: 3 }), '{\n  "sum": 3\n}');
    assert.equal(resultText({ a: 'x', b: 'y' }), '{\n  "a": "x",\n  "b": "y"\n}');
    assert.equal(resultText(null), 'null');
  });
});

describe('drafts of skills in the terminal', () => {
  const draft: DraftView = {
    name: 'triple',
    description: 'Triples.',
    folder: '/r/.coppice/drafts/triple',
    hash: 'e'.repeat(64),
    kind: 'script',
    tokens: 10,
    files: ['SKILL.md'],
    may: ['run its script run.mjs'],
    hold: 'node',
    held: 'Node holds its script to this.',
    run: 'r-1',
    agent: 'a-1',
    replaces: 'workspace',
    problems: [{ ...problem, file: '/r/.coppice/drafts/triple/SKILL.md' }],
  };

  it('say who wrote them, what they would do, and whose place they would take', () => {
    assert.equal(
      draftList([draft], 100),
      [
        'triple: Triples.',
        '  by agent a-1 of run r-1; would take the place of the skill that is there',
        '  would be allowed to run its script run.mjs; 1 warning',
      ].join('\n'),
    );
    assert.equal(draftList([], 100), 'There are no drafts.');
  });

  it('are reviewed with problems, more permissions, hash and diff', () => {
    const files = [{ path: 'SKILL.md', status: 'changed', before: 'a', after: 'b' }] as const;
    const page = draftPage({ draft, files, patch: '-a\n+b\n', asksMore: ['talk to any host'] });
    assert.match(page, /^Files: +SKILL\.md \(changed\)$/m);
    assert.match(page, /^More than the skill of its name: talk to any host$/m);
    assert.match(page, /^Hash: +e{64}\nSKILL\.md:3:1: warning: Not a key\. \(unknown-key\)\n\n-a\n\+b$/m);
  });

  it('are tested, and say what failed', () => {
    const tests = [
      { file: 'tests/a.test.mjs', ok: true, message: '', ms: 20 },
      { file: 'tests/b.test.mjs', ok: false, message: 'wanted 3\ngot 4', ms: 1500 },
    ];
    assert.equal(
      draftTestLines({ name: 'triple', ok: false, tests, problems: [] }, '/r'),
      '✓ tests/a.test.mjs (0.0 s)\n✗ tests/b.test.mjs (1.5 s)\n    wanted 3\n    got 4\nThe draft triple does not pass.',
    );
    assert.match(
      draftTestLines({ name: 'x', ok: true, tests: [], problems: [] }, '/r'),
      /no tests\.\nThe draft x passes/,
    );
  });
});
