import assert from 'node:assert/strict';
import { assert as assertProperty, property, string } from 'fast-check';
import { changedPart } from '../../../extension/skills/changed-part.ts';
import {
  approveDetail,
  maySentence,
  problemCounts,
  type SkillRow,
  skillContext,
  skillDescription,
  skillTooltip,
  trustDetail,
} from '../../../extension/skills/describe-skill.ts';
import { enteredValue, fieldsOf, initialText } from '../../../extension/skills/json-fields.ts';
import { MCP_CLIENTS } from '../../../extension/skills/mcp-clients.ts';
import type { DraftView, ImportedView, ImportPreview, SkillView } from '../../../extension/skills/operations.ts';
import { importDetail, previewPage } from '../../../extension/skills/preview-page.ts';
import { filtered, groupsOf, MOST_ROWS, rowsOf } from '../../../extension/skills/skill-rows.ts';
import { CLIENTS } from '../../../mcp-server/faces/cli/print-config.ts';

const NONE = { read: [], write: [], commands: [], hosts: [] };

const skill = (name: string, more: Partial<SkillView> = {}): SkillView => ({
  name,
  description: `About ${name}.`,
  tags: [],
  source: 'workspace',
  root: '/repo/.agents/skills',
  state: 'trusted',
  kind: 'instructions',
  folder: `/repo/.agents/skills/${name}`,
  file: `/repo/.agents/skills/${name}/SKILL.md`,
  hash: 'a'.repeat(64),
  tokens: 1234,
  pinned: false,
  uses: 0,
  permissions: NONE,
  tools: [],
  may: [],
  hold: null,
  held: null,
  ...more,
});

const draft = (name: string, more: Partial<DraftView> = {}): DraftView => ({
  name,
  description: `Idea of ${name}.`,
  folder: `/repo/.coppice/drafts/${name}`,
  hash: 'b'.repeat(64),
  kind: 'instructions',
  tokens: 10,
  files: ['SKILL.md'],
  may: [],
  hold: null,
  held: null,
  run: null,
  agent: null,
  replaces: null,
  problems: [],
  ...more,
});

const imported = (name: string): ImportedView => ({
  name,
  from: 'https://example.com/skills',
  kind: 'git',
  pin: 'c'.repeat(40),
  state: 'as-imported',
  importedAt: '2026-11-21T00:00:00Z',
});

const row = (one: SkillView): SkillRow => ({ skill: one, imported: undefined, draft: undefined });

const preview = (more: Partial<ImportPreview> = {}): ImportPreview => ({
  name: 'greet',
  pin: 'c'.repeat(40),
  hash: 'd'.repeat(64),
  description: 'Says hello.',
  license: null,
  kind: 'script',
  files: [{ path: 'scripts/run.sh', bytes: 2048, script: true }],
  leftOut: [],
  permissions: { ...NONE, read: ['src/**'], hosts: ['*'] },
  asks: ['read src/**', 'talk to any host'],
  held: null,
  diagnostics: [],
  remarks: [],
  change: null,
  text: '',
  ...more,
});

describe('skills in words', () => {
  it('says state, pin, kind, uses and tokens beside a name', () => {
    const text = skillDescription(row(skill('a', { state: 'needs-review', kind: 'script', pinned: true, uses: 3 })));
    assert.equal(text, 'needs review · pinned · script · used 3× · 1.2k tokens');
  });

  it('tells what a skill asks for from what it may do', () => {
    const may = ['run its script main.mjs', 'talk to any host'];
    assert.match(maySentence(skill('a', { state: 'needs-review', may })), /^It asks to run its script main\.mjs, talk/);
    assert.match(maySentence(skill('a', { may })), /^It may run/);
    assert.match(maySentence(skill('a')), /asks for no permissions/);
  });

  it('gives menus words for what can be done', () => {
    assert.equal(skillContext(row(skill('a', { pinned: true }))), 'skill trusted usable pinned');
    assert.equal(skillContext(row(skill('a', { state: 'bundled' }))), 'skill bundled usable unpinned');
    assert.equal(
      skillContext({ ...row(skill('a', { state: 'needs-review' })), imported: imported('a') }),
      'skill needs-review imported',
    );
  });

  it('shows nothing of a stranger as Markdown of its own', () => {
    const evil = '[click](command:evil) <img src=x> $(alert) **x** | `y`';
    for (const text of [
      skillTooltip(row(skill('a', { description: evil, may: [evil] }))),
      previewPage(
        preview({
          description: evil,
          license: evil,
          remarks: [evil],
          pin: evil,
          leftOut: [evil],
          files: [{ path: evil, bytes: 1, script: false }],
        }),
      ),
    ]) {
      assert.doesNotMatch(text, /(?<!\\)\[click/);
      assert.doesNotMatch(text, /(?<!\\)<img/);
    }
  });

  it('names every permission and file before trust is given', () => {
    const text = trustDetail(skill('a', { may: ['read src/**', 'run git'], tools: ['edit_file'] }), [
      'SKILL.md',
      'x.sh',
    ]);
    for (const part of ['•  read src/**', '•  run git', 'edit_file', '2 files: SKILL.md, x.sh'])
      assert.ok(text.includes(part), part);
  });

  it('says what a draft would be allowed beyond the skill whose place it takes', () => {
    const text = approveDetail(draft('a', { may: ['read src/**', 'run git'], replaces: 'workspace' }), ['run git']);
    assert.match(text, /takes the place of the skill a/);
    assert.match(text, /•\s+read src\/\*\*\n/);
    assert.match(text, /•\s+run git \(new\)/);
  });

  it('counts problems', () => {
    const of = (severity: 'error' | 'warning' | 'hint') => ({ severity });
    assert.equal(problemCounts([of('error'), of('hint'), of('hint')]), '1 error, 2 hints');
    assert.equal(problemCounts([]), '');
  });

  it('shows licence, permissions, scripts and sizes before an import', () => {
    const text = previewPage(preview());
    for (const part of ['Licence: **not stated**', '- read src/', '- talk to any host', '2.0 KiB | script'])
      assert.ok(text.replaceAll('\\', '').includes(part), part);
    assert.match(importDetail(preview()), /can be run: scripts\/run\.sh/);
    assert.match(
      importDetail(preview({ permissions: NONE, asks: [], files: [] })),
      /asks for no permissions[\s\S]*no scripts/,
    );
  });
});

describe('the rows of the view Skills', () => {
  it('are grouped by source; those that need a person come first', () => {
    const own = '/repo/.coppice/skills';
    const rows = rowsOf(
      [
        skill('b'),
        skill('a', { state: 'needs-review', name: 'z' }),
        skill('mine', { root: own }),
        skill('brought', { root: own }),
        skill('home', { source: 'home', root: '/home/me/.claude/skills' }),
        skill('built-in', { source: 'bundled', state: 'bundled', root: null }),
        skill('hidden-import'),
      ],
      [imported('brought'), imported('hidden-import')],
      [draft('idea')],
    );
    const names = groupsOf(rows).map(({ group, rows: inside }) => [group, inside.map((one) => one.skill.name)]);
    assert.deepEqual(names, [
      ['draft', ['idea']],
      ['workspace', ['z', 'b', 'hidden-import', 'mine']],
      ['imported', ['brought']],
      ['home', ['home']],
      ['bundled', ['built-in']],
    ]);
  });

  it('show a draft beside the skill of its name', () => {
    const rows = rowsOf([skill('a'), skill('d', { state: 'draft', source: 'draft' })], [], [draft('a'), draft('d')]);
    assert.deepEqual(
      rows.map((one) => [one.skill.name, one.skill.state]),
      [
        ['a', 'trusted'],
        ['a', 'draft'],
        ['d', 'draft'],
      ],
    );
  });

  it('are filtered by words and by what the search has found', () => {
    const rows = [skill('bug-hunt'), skill('tests', { tags: ['Quality'] }), skill('other')].map(row);
    const names = (text: string, found: string[]): string[] =>
      filtered(rows, { text, found: new Set(found) }).map((one) => one.skill.name);
    assert.deepEqual(names('BUG', []), ['bug-hunt']);
    assert.deepEqual(names('quality', ['other']), ['tests', 'other']);
    assert.equal(filtered(rows, undefined).length, 3);
    assert.ok(MOST_ROWS >= 100);
  });
});

describe('the input of a skill', () => {
  const schema = {
    type: 'object',
    properties: {
      limit: { type: 'integer', default: 10 },
      text: { type: 'string', description: 'What to count.' },
      mode: { enum: ['fast', 'slow'] },
      loud: { type: 'boolean' },
      tags: { type: 'array' },
    },
    required: ['text', 'mode'],
  };

  it('is asked for field by field, those that are needed first', () => {
    const fields = fieldsOf(schema) ?? [];
    assert.deepEqual(
      fields.map(({ name, kind, required }) => `${name} ${kind}${required ? ' needed' : ''}`),
      ['text text needed', 'mode choice needed', 'limit integer', 'loud boolean', 'tags json'],
    );
    assert.equal(initialText({ kind: 'integer', byDefault: 10 }), '10');
  });

  it('is asked for as JSON where the schema is no list of fields', () => {
    assert.equal(fieldsOf({ type: 'array' }), undefined);
    assert.equal(fieldsOf({ properties: {}, oneOf: [] }), undefined);
  });

  it('is checked while it is typed', () => {
    const of = (kind: 'text' | 'number' | 'integer' | 'json', text: string, required = true) =>
      enteredValue({ name: 'x', kind, required }, text);
    assert.deepEqual(of('integer', '42'), { value: 42 });
    assert.ok('problem' in of('integer', '4.2'));
    assert.deepEqual(of('number', '4.2'), { value: 4.2 });
    assert.ok('problem' in of('number', 'many'));
    assert.ok('problem' in of('number', ''));
    assert.deepEqual(of('number', ' ', false), { absent: true });
    assert.deepEqual(of('json', '["a"]'), { value: ['a'] });
    assert.ok('problem' in of('json', '[a]'));
    assert.ok('problem' in of('text', ''));
    assert.deepEqual(of('text', ' a '), { value: ' a ' });
  });
});

describe('a quick fix', () => {
  it('changes only the part of the text that is different', () => {
    assertProperty(
      property(string(), string(), string(), string(), (head, old, now, tail) => {
        const [before, after] = [head + old + tail, head + now + tail];
        const { start, end, text } = changedPart(before, after);
        assert.equal(before.slice(0, start) + text + before.slice(end), after);
        assert.ok(start >= 0 && end >= start && end - start <= old.length + now.length);
      }),
      { seed: 7, numRuns: 500 },
    );
    assert.deepEqual(changedPart('name: a\nrest', 'name: bc\nrest'), { start: 6, end: 7, text: 'bc' });
  });
});

describe('Copy MCP Configuration', () => {
  it('offers exactly the clients whose configuration can be printed', () => {
    assert.deepEqual(MCP_CLIENTS.map(({ client }) => client).toSorted(), [...CLIENTS].toSorted());
  });
});
