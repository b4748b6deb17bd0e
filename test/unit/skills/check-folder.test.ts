import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { checkSkillFolder } from '../../../mcp-server/skills/check-folder.ts';

const GOOD = (name: string): string => `---\nname: ${name}\ndescription: Does ${name}. Use it.\n---\n# It\n\nDo it.\n`;

describe('a check of a folder that is not installed', () => {
  let top: string;
  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'coppice-check-'));
  });
  afterEach(() => rmSync(top, { recursive: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), text);
  };
  const check = (path = '.') => checkSkillFolder(join(top, path), systemClock);

  it('looks at the skill that it is, by its folder or its file', async () => {
    write('one/SKILL.md', '---\nname: two\ndescription: Two.\n---\nDo it.\n');
    write('one/manifest.json', '{}');
    for (const path of ['one', 'one/SKILL.md', 'one/manifest.json']) {
      const { skills, problems } = await check(path);
      assert.equal(skills, 1);
      assert.deepEqual(
        problems.map(({ file, line, code }) => [file, line, code]),
        [[join(top, 'one/SKILL.md'), 1, 'name-mismatch']],
      );
    }
  });

  it('looks at its manifest as well', async () => {
    write('one/SKILL.md', GOOD('one'));
    write('one/manifest.json', '{\n"entry": "no.mjs"\n}');
    const { problems } = await check('one');
    assert.ok(problems.some(({ code, severity }) => code === 'manifest-entry' && severity === 'error'));
  });

  it('looks at all skills below it, also at those of a repository', async () => {
    write('one/SKILL.md', GOOD('one'));
    write('group/two/SKILL.md', '');
    write('.agents/skills/three/SKILL.md', GOOD('three'));
    const { skills, problems } = await check();
    assert.equal(skills, 3);
    assert.ok(problems.some(({ file, code }) => file.endsWith('two/SKILL.md') && code === 'empty'));
  });

  it('can be reached by a link, and refuses what holds no skill', async () => {
    write('one/SKILL.md', GOOD('one'));
    symlinkSync(join(top, 'one'), join(top, 'link'));
    assert.equal((await check('link')).skills, 1);
    write('none/x.txt', '');
    write('bare/manifest.json', '{}');
    mkdirSync(join(top, 'linked'));
    symlinkSync(join(top, 'one/SKILL.md'), join(top, 'linked/SKILL.md'));
    for (const [path, why] of [
      ['none', /There is no SKILL\.md in .*none, nor in a folder below it\. .*coppice skill new NAME/],
      ['nowhere', /There is nothing at .*nowhere\.$/],
      ['nowhere/SKILL.md', /There is nothing at .*SKILL\.md\.$/],
      ['none/x.txt/y', /There is nothing at/],
      ['none/x.txt', /x\.txt is no skill\. Name its SKILL\.md, its folder/],
      ['bare/manifest.json', /There is no SKILL\.md in .*bare,/],
      ['linked', /SKILL\.md in .*linked is no regular file/],
    ] as const)
      await assert.rejects(
        check(path),
        (error) => error instanceof UserError && error.code === 'bad-input' && why.test(error.message),
      );
  });
});
