import assert from 'node:assert/strict';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { parseManifest } from '../../../mcp-server/skills/manifest.ts';
import { skillFiles, templateFiles } from '../../../mcp-server/skills/new-skill.ts';
import { parseSkill } from '../../../mcp-server/skills/parse-skill.ts';

const PARTS = {
  name: 'a-skill',
  description: 'Does: "this" # and that.',
  instructions: '# A\n',
  script: null,
  tests: null,
  read: [],
};

describe('A new skill', () => {
  it('reads back as it was meant, without any complaint', () => {
    const files = skillFiles({ ...PARTS, script: 'x', tests: 'y', read: ['docs/**'] });
    assert.deepEqual([...files.keys()], ['SKILL.md', 'scripts/main.mjs', 'manifest.json', 'tests/main.test.mjs']);
    const parsed = parseSkill(files.get('SKILL.md') ?? '', '/x/a-skill/SKILL.md');
    assert.deepEqual([parsed.name, parsed.description, parsed.diagnostics], ['a-skill', PARTS.description, []]);
    const { manifest, diagnostics } = parseManifest(files.get('manifest.json') ?? '', '/x/manifest.json', [
      ...files.keys(),
    ]);
    assert.deepEqual([manifest.entry, manifest.permissions.read, diagnostics], ['scripts/main.mjs', ['docs/**'], []]);
  });

  it('has one front matter, also when a model wrote its own', () => {
    const files = skillFiles({ ...PARTS, instructions: '---\nname: other\n---\n# A\n' });
    assert.equal(files.get('SKILL.md')?.match(/^---$/gm)?.length, 2);
  });

  it('has a name that can be a folder, and a size that can be read', () => {
    for (const name of ['', 'A', 'a b', '../a', 'a--b', '-a', 'x'.repeat(65)])
      assert.throws(() => skillFiles({ ...PARTS, name }), UserError, name);
    assert.throws(() => skillFiles({ ...PARTS, instructions: 'x'.repeat(200_001) }), UserError);
  });

  it('begins as a template that is sound', () => {
    for (const kind of ['instructions', 'script'] as const) {
      const files = templateFiles('a-skill', 'Does this. Use for that.', kind);
      assert.equal(files.has('scripts/main.mjs'), kind === 'script');
      assert.deepEqual(parseSkill(files.get('SKILL.md') ?? '', '/x/a-skill/SKILL.md').diagnostics, []);
    }
  });
});
