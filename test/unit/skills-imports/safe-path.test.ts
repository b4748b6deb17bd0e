import assert from 'node:assert/strict';
import { isObeyed, pathProblem } from '../../../mcp-server/skills/imports/safe-path.ts';

describe('a path from somebody else', () => {
  it('is fine when it is plain', () => {
    for (const path of [
      'SKILL.md',
      'scripts/run.sh',
      'a/b/c/d.txt',
      '.hidden',
      'ünï côde.md',
      'a-b_c+d@e',
      'console.md',
      'COM.md',
    ])
      assert.equal(pathProblem(path), null, path);
  });

  it('is refused with its reason', () => {
    const reasons: readonly (readonly [string, RegExp])[] = [
      ['', /empty/],
      ['/etc/passwd', /absolute/],
      ['../x', /leads out/],
      ['a/../x', /leads out/],
      ['./x', /leads out/],
      ['a//x', /empty part/],
      ['a/', /empty part/],
      ['a\\b', /backslash/],
      ['C:x', /not allowed everywhere/],
      ['a\u0000b', /control/],
      ['a\u202eb', /control/],
      ['a\u200bb', /cannot be seen \(U\+200B\)/],
      ['a\u{e0041}', /cannot be seen/],
      ['a\nb', /control/],
      ['a.', /dot or a blank/],
      ['a /b', /dot or a blank/],
      ['nul', /device/],
      ['Lpt1.txt', /device/],
      ['a/__proto__', /no name/],
      ['x'.repeat(401), /too long/],
    ];
    for (const [path, reason] of reasons) assert.match(pathProblem(path) ?? 'none', reason, path);
  });

  it('is told apart when other programs obey what lies there', () => {
    for (const path of [
      '.git/hooks/x',
      'a/.GIT/config',
      'GIT~1/x',
      '.vscode/tasks.json',
      'a/.mcp.json',
      'node_modules/x',
      '.env',
    ])
      assert.equal(isObeyed(path), true, path);
    for (const path of ['.gitignore', 'git/x', '.env.example', 'vscode/x']) assert.equal(isObeyed(path), false, path);
  });
});
