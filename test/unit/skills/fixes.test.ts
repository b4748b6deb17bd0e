import assert from 'node:assert/strict';
import { fixOf } from '../../../mcp-server/skills/fixes.ts';
import { parseSkill } from '../../../mcp-server/skills/parse-skill.ts';
import { seeded } from './many-skills.ts';

const FILE = '/r/.agents/skills/bug-hunt/SKILL.md';
const told = (text: string) => parseSkill(text, FILE).diagnostics;

/** Applies the fix of the first diagnostic with this code. */
const fixed = (text: string, code: string): string => {
  const diagnostic = told(text).find((one) => one.code === code);
  assert.ok(diagnostic, `no ${code} in ${JSON.stringify(told(text))}`);
  const fix = fixOf(diagnostic);
  assert.ok(fix && fix.title !== '', code);
  return fix.apply(text);
};

describe('Quick fixes of a SKILL.md', () => {
  it('puts a value with a colon in quotes, also one of several lines', () => {
    assert.equal(
      fixed('---\nname: bug-hunt\ndescription: Use "when": now\n---\nGo.', 'unquoted-value'),
      '---\nname: bug-hunt\ndescription: "Use \\"when\\": now"\n---\nGo.',
    );
    assert.equal(
      fixed('---\nname: bug-hunt\ndescription: d\nlicense: 2\n---\nGo.', 'not-a-string'),
      '---\nname: bug-hunt\ndescription: d\nlicense: "2"\n---\nGo.',
    );
  });

  it('gives it the name of its folder', () => {
    const good = '---\nname: bug-hunt\ndescription: d\n---\nGo.';
    assert.equal(fixed('---\nname: other\ndescription: d\n---\nGo.', 'name-mismatch'), good);
    assert.equal(fixed('---\nname: Bug Hunt!\ndescription: d\n---\nGo.', 'name-invalid'), good);
    assert.equal(fixed('---\ndescription: d\n---\nGo.', 'name-missing'), good);
    assert.equal(fixed('---\nname:\ndescription: d\n---\nGo.', 'name-missing'), good);
  });

  it('closes front matter, or adds it', () => {
    assert.equal(
      fixed('---\nname: bug-hunt\ndescription: d\n\n# Go\n', 'frontmatter-unterminated'),
      '---\nname: bug-hunt\ndescription: d\n---\n\n# Go\n',
    );
    const added = fixed('# Go\n', 'frontmatter-missing');
    assert.match(added, /^---\nname: bug-hunt\ndescription: Say .*\n---\n\n# Go\n$/);
    assert.deepEqual(told(added), []);
    assert.equal(
      fixed('\n\n---\nname: bug-hunt\ndescription: d\n---\nGo.', 'frontmatter-late'),
      '---\nname: bug-hunt\ndescription: d\n---\nGo.',
    );
  });

  it('turns a list into text', () => {
    const good = '---\nname: bug-hunt\ndescription: d\nallowed-tools: "Read Bash(git:*)"\nlicense: x\n---\nGo.';
    assert.equal(
      fixed(
        '---\nname: bug-hunt\ndescription: d\nallowed-tools: [Read, "Bash(git:*)"]\nlicense: x\n---\nGo.',
        'array-for-string',
      ),
      good,
    );
    assert.equal(
      fixed(
        '---\nname: bug-hunt\ndescription: d\nallowed-tools:\n  - Read\n  - Bash(git:*)\nlicense: x\n---\nGo.',
        'array-for-string',
      ),
      good,
    );
    assert.equal(
      fixed(
        '---\nname: bug-hunt\ndescription: d\nallowed-tools:\n- Read\n- Bash(git:*)\nlicense: x\n---\nGo.',
        'array-for-string',
      ),
      good,
    );
  });

  it('adds a description to write', () => {
    assert.match(
      fixed('---\nname: bug-hunt\nlicense: x\n---\nGo.', 'description-missing'),
      /^---\nname: bug-hunt\ndescription: Say .*\nlicense: x\n---/,
    );
    assert.match(
      fixed('---\nname: bug-hunt\ndescription:\n---\nGo.', 'description-missing'),
      /^---\nname: bug-hunt\ndescription: Say .*\n---\nGo\.$/,
    );
  });

  it('keeps Windows line ends and a byte order mark, unless they are what it removes', () => {
    const text = '\uFEFF---\r\nname: other\r\ndescription: d\r\n---\r\nGo.';
    assert.equal(fixed(text, 'name-mismatch'), text.replace('other', 'bug-hunt'));
    assert.equal(fixed(text, 'bom'), text.slice(1));
    assert.equal(fixed(text, 'crlf'), text.replaceAll('\r\n', '\n'));
  });

  it('leaves a text alone that has changed meanwhile, and has none for what a person must decide', () => {
    const good = '---\nname: bug-hunt\ndescription: d\n---\nGo.';
    for (const code of ['unquoted-value', 'array-for-string', 'frontmatter-unterminated', 'frontmatter-missing'])
      assert.equal(fixOf({ code, line: 40, file: FILE })?.apply(good), good, code);
    for (const code of ['empty', 'too-large', 'unknown-key', 'constructor', '__proto__'])
      assert.equal(fixOf({ code, line: 0, file: FILE }), undefined, code);
  });

  it('leads to a file without the finding, for any broken file', () => {
    const random = seeded(99);
    const pick = (...choices: string[]): string => choices[Math.floor(random() * choices.length)] ?? '';
    let applied = 0;
    for (let round = 0; round < 800; round += 1) {
      const name = pick('name: bug-hunt\n', 'name: Other\n', 'name: 7\n', '', 'name: a: b\n', '"name": x-y\n');
      const description = pick(
        'description: d\n',
        'description: a: b\n',
        'description: [a, b]\n',
        '',
        'description:\n  - a\n  - "b: c"\n',
        'description: >\n  a\n  b: c\n',
        'description: 5\n',
        'description: |\n',
      );
      const other = pick(
        'license: x: y\n',
        'allowed-tools: [A, {b: c}]\n',
        '',
        'metadata:\n  a: 1\n',
        '# note\n',
        'license: [x\n',
        'license: "x\n',
      );
      const text = (
        pick('', '\uFEFF') +
        pick('---\n', '', '\n---\n') +
        name +
        description +
        other +
        pick('---\n', '') +
        pick('\n# Title\n\nText.\n', 'Text.')
      ).replaceAll('\n', pick('\n', '\r\n'));
      for (const diagnostic of told(text)) {
        const fix = fixOf(diagnostic);
        if (!fix) continue;
        const after = fix.apply(text);
        const same = (one: { code: string }): boolean => one.code === diagnostic.code;
        const [now, before] = [told(after).filter(same).length, told(text).filter(same).length];
        assert.ok(
          now < before,
          `${diagnostic.code} at ${diagnostic.line} of ${JSON.stringify(text)} → ${JSON.stringify(after)}`,
        );
        applied += 1;
      }
    }
    assert.ok(applied > 800);
  });
});
