import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { textDiff } from '../../../mcp-server/skills/text-diff.ts';
import { seededRandom } from '../../support/engine.ts';

describe('The diff of a draft', () => {
  it('is empty for what is the same, and whole for what is new or gone', () => {
    assert.equal(textDiff('a', 'x\n', 'x\n'), '');
    assert.equal(textDiff('a', null, 'x\ny\n'), '--- /dev/null\n+++ b/a\n@@ -0,0 +1,2 @@\n+x\n+y\n');
    assert.equal(textDiff('a', 'x\n', null), '--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n');
  });

  it('shows changes with three lines around them, and joins those that are close', () => {
    const lines = Array.from({ length: 30 }, (_, n) => `line ${n}`);
    const changed = lines.with(5, 'five').with(9, 'nine').with(25, 'twenty-five');
    const diff = textDiff('a', `${lines.join('\n')}\n`, `${changed.join('\n')}\n`);
    assert.deepEqual(diff.match(/^@@.*$/gm), ['@@ -3,11 +3,11 @@', '@@ -23,7 +23,7 @@']);
    assert.match(diff, /-line 5\n\+five\n line 6/);
  });

  it('is what git applies, whatever was changed', () => {
    const random = seededRandom(7);
    const folder = mkdtempSync(join(tmpdir(), 'cop-diff-'));
    try {
      for (let round = 0; round < 40; round += 1) {
        const before = Array.from({ length: Math.floor(random() * 40) + 1 }, () => `${Math.floor(random() * 6)}`);
        const after = before.flatMap((line) => (random() < 0.2 ? [] : random() < 0.2 ? [line, 'new'] : [line]));
        const [old, wanted] = [before, [...after, 'end']].map((lines) => lines.map((line) => `${line}\n`).join(''));
        writeFileSync(join(folder, 'a.txt'), old ?? '');
        const diff = textDiff('a.txt', old ?? '', wanted ?? '');
        execFileSync('git', ['apply', '--unidiff-zero', '-'], {
          cwd: folder,
          input: diff,
          stdio: ['pipe', 'pipe', 'pipe'],
        });
        assert.equal(readFileSync(join(folder, 'a.txt'), 'utf8'), wanted);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('stays quick for long texts that have nothing in common', () => {
    const many = (word: string): string => Array.from({ length: 20_000 }, (_, n) => `${word} ${n}`).join('\n');
    const startedAt = performance.now();
    assert.ok(textDiff('a', many('x'), many('y')).length > 300_000);
    assert.ok(performance.now() - startedAt < 2000);
  });
});
