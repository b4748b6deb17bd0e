import assert from 'node:assert/strict';
import { counted, hiddenIn, hiddenToShow, oneLine, visible } from '../../../mcp-server/domain/text.ts';

describe('Characters that cannot be seen', () => {
  it('are named', () => {
    for (const [text, name] of [
      ['git', null],
      ['日本 ä’—', null],
      ['a\u202eb', 'U+202E'],
      ['a\u200db', 'U+200D'],
      ['a\u00a0b', 'U+00A0'],
      ['a\u{e0041}b', 'U+E0041'],
      ['a\nb', 'U+000A'],
    ] as const)
      assert.equal(hiddenIn(text), name, JSON.stringify(text));
  });

  it('are written out, but for what emoji and other scripts are joined with', () => {
    assert.equal(visible('a\u202eb\u{e0041}\u001b[0m\tc\n'), 'a<U+202E>b<U+E0041><U+001B>[0m\tc\n');
    for (const text of ['👩‍🚀 ❤️', 'می‌خواهم', '“x” – é', 'x\u00a0y', 'plain\r\n\t']) assert.equal(visible(text), text);
    // A digit in a key, an ending of a foreign word, its bracket in a text from right to left, words without blanks.
    for (const text of ['1️⃣', 'PDF\u200cها', 'קבצי (PDF)\u200f ו-API\u200f.', 'الملفات \u200fPDF', 'ភាសា\u200bខ្មែរ'])
      assert.equal(visible(text), text);
    assert.equal(visible('git\u200dhub'), 'git<U+200D>hub');
    assert.deepEqual(hiddenToShow('ab\u{e0041}\u200b'), { index: 2, length: 2, name: 'U+E0041', count: 2 });
    assert.equal(hiddenToShow('❤️\n'), null);
  });

  it('are written out where more of them follow one another than any writing needs', () => {
    for (const text of ['❤\ufe0f\u200d', 'é\u200c\u200d', 'ש\u200f\u200f'])
      assert.equal(visible(`${text}\ufe01x`), `${text}<U+FE01>x`);
    assert.equal(visible('(PDF)\u200f\u200f'), '(PDF)<U+200F><U+200F>');
  });

  it('are not left in one line', () => {
    assert.equal(oneLine('a\u0007\n b\u202e', 20), 'a b<U+202E>');
    assert.equal(oneLine('a\u202ebcdef', 6), 'a<U+2…');
  });
});

describe('A number of things', () => {
  it('is told in the singular for one only', () => {
    assert.deepEqual(
      [0, 1, 2, 1000].map((n) => counted(n, 'step')),
      ['0 steps', '1 step', '2 steps', '1000 steps'],
    );
    assert.equal(counted(1, 'more file'), '1 more file');
  });

  it('takes another plural where there is one, and leaves a noun alone that ends in s', () => {
    assert.deepEqual(
      [1, 3].map((n) => counted(n, 'child', 'children')),
      ['1 child', '3 children'],
    );
    assert.deepEqual([counted(1, 'branch', 'branches'), counted(2, 'branch', 'branches')], ['1 branch', '2 branches']);
    assert.deepEqual([counted(1, 'Operations'), counted(2, 'Operations')], ['1 Operations', '2 Operations']);
  });
});
