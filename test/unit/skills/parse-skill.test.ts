import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { readFrontMatter } from '../../../mcp-server/skills/front-matter.ts';
import { MOST_SKILL_BYTES, type ParsedSkill, parseSkill } from '../../../mcp-server/skills/parse-skill.ts';
import { isSkillName, skillNameOf } from '../../../mcp-server/skills/skill-name.ts';
import { MOST_YAML_PARTS, YamlBounds } from '../../../mcp-server/skills/yaml-bounds.ts';
import { seeded } from './many-skills.ts';
import { skillText } from './places.ts';

const parse = (text: string | Uint8Array, file = '/r/.agents/skills/bug-hunt/SKILL.md'): ParsedSkill =>
  parseSkill(text, file);
const codes = (parsed: ParsedSkill): string[] =>
  parsed.diagnostics.map(({ severity, code, line }) => `${severity} ${code} ${line}`);
const GOOD = skillText('bug-hunt', 'Finds bugs.');

describe('Reading a SKILL.md', () => {
  it('takes a good one without a word', () => {
    const text =
      '---\nname: bug-hunt\ndescription: >\n  Finds bugs\n  in code.\nlicense: MIT\nallowed-tools: Read Grep\nmetadata:\n  author: me\n---\n# Find\n\nGo.';
    const parsed = parse(text);
    assert.deepEqual(codes(parsed), []);
    assert.equal(parsed.name, 'bug-hunt');
    assert.equal(parsed.description, 'Finds bugs in code.');
    assert.equal(parsed.body, '# Find\n\nGo.');
    assert.deepEqual(parsed.headings, ['Find']);
    assert.deepEqual(parsed.frontmatter['metadata'], { author: 'me' });
    assert.equal(parsed.tokens, Math.ceil(parsed.body.length / 4));
  });

  it('reads Windows line ends and a byte order mark, and hints at them', () => {
    const parsed = parse(Buffer.from(`\uFEFF${GOOD.replaceAll('\n', '\r\n')}`));
    assert.equal(parsed.description, 'Finds bugs.');
    assert.equal(parsed.body, '# Steps\n\n1. Begin.');
    assert.deepEqual(codes(parsed), ['hint crlf 0', 'hint bom 0']);
  });

  it('reads skill.md and Skill.md', () => {
    for (const name of ['skill.md', 'Skill.md']) {
      const parsed = parse(GOOD, `/r/bug-hunt/${name}`);
      assert.equal(parsed.name, 'bug-hunt');
      assert.deepEqual(codes(parsed), ['hint file-name 0']);
    }
  });

  it('makes a skill of bare Markdown: the name of its folder, its first paragraph', () => {
    const parsed = parse('# Hunting\n\nFind the bug\nand tell.\n\nMore.');
    assert.equal(parsed.name, 'bug-hunt');
    assert.equal(parsed.description, 'Find the bug and tell.');
    assert.deepEqual(codes(parsed), [
      'warning frontmatter-missing 0',
      'warning name-missing 0',
      'warning description-missing 0',
    ]);
  });

  it('ends front matter that was never closed where Markdown begins', () => {
    const parsed = parse('---\nname: bug-hunt\ndescription: Finds bugs.\nmetadata:\n  a: b\n# Steps\n\nGo: now.');
    assert.equal(parsed.description, 'Finds bugs.');
    assert.equal(parsed.body, '# Steps\n\nGo: now.');
    assert.deepEqual(codes(parsed), ['warning frontmatter-unterminated 0']);
  });

  it('understands unquoted colons, and says at which line they are', () => {
    const parsed = parse(
      '---\nname: bug-hunt\ndescription: Use when: there is a bug\nmetadata:\n  a: {b: 1}\n---\nGo.',
    );
    assert.equal(parsed.description, 'Use when: there is a bug');
    assert.deepEqual(parsed.frontmatter['metadata'], { a: { b: 1 } });
    assert.deepEqual(codes(parsed), ['warning unquoted-value 2', 'hint metadata-not-strings 4']);
  });

  it('understands values that begin like something else in YAML', () => {
    for (const value of [
      '[beta] Finds bugs',
      '"Finds" bugs',
      '*Finds* bugs',
      '@bugs',
      '`bugs`',
      '%bugs',
      "'it's",
      '&finds *bugs',
    ]) {
      const parsed = parse(`---\nname: bug-hunt\ndescription: ${value}\n---\nGo.`);
      assert.ok(
        parsed.description.includes(value.includes('bugs') ? 'bugs' : 'it'),
        `${value} → ${parsed.description}`,
      );
      assert.ok(parsed.diagnostics.every(({ severity }) => severity !== 'error'));
    }
    assert.deepEqual(codes(parse('---\nname: bug-hunt\ndescription: [beta] Finds\n---\nGo.')), [
      'warning unquoted-value 2',
    ]);
  });

  it('keeps what it understands around lines that are no YAML', () => {
    const parsed = parse('---\nname: bug-hunt\nthis is nothing\ndescription: Finds bugs.\n\tlicense: x\n---\nGo.');
    assert.match(parsed.description, /^Finds bugs/);
    assert.ok(codes(parsed).includes('warning yaml-invalid 2'));
  });

  it('takes front matter that is no map, or empty, as none', () => {
    assert.deepEqual(codes(parse('---\n- a\n- b\n---\nGo.')).slice(0, 1), ['warning frontmatter-not-a-map 1']);
    assert.equal(parse('---\n---\nGo.').description, 'Go.');
  });

  it('says when a name is unlike its folder, malformed, too long or no text', () => {
    const named = (name: string): string[] => codes(parse(`---\nname: ${name}\ndescription: d\n---\nGo.`));
    assert.deepEqual(named('other'), ['warning name-mismatch 1']);
    assert.deepEqual(named('Bug Hunt'), ['warning name-invalid 1']);
    assert.deepEqual(named('bug--hunt'), ['warning name-invalid 1']);
    assert.deepEqual(named('b'.repeat(65)), ['warning name-invalid 1']);
    assert.deepEqual(named('12'), ['warning not-a-string 1']);
    assert.deepEqual(named('[bug-hunt]'), ['warning not-a-string 1']);
    assert.deepEqual(named(''), ['warning name-missing 1']);
  });

  it('calls a skill by the nearest good name of its folder', () => {
    const parsed = parse(GOOD, '/r/Bug Hünt_2/SKILL.md');
    assert.equal(parsed.name, 'bug-hunt-2');
    assert.deepEqual(codes(parsed), ['warning folder-name 0', 'warning name-mismatch 1']);
    assert.deepEqual(codes(parse(GOOD, '/r/虫/SKILL.md')).slice(0, 1), ['error folder-name 0']);
  });

  it('joins lists that should be text, and turns other values into text', () => {
    const parsed = parse(
      '---\nname: bug-hunt\ndescription: [Finds, bugs]\nallowed-tools:\n  - Read\n  - "Bash(git:*)"\nlicense: 2.0\n---\nGo.',
    );
    assert.equal(parsed.description, 'Finds bugs');
    assert.deepEqual(parsed.frontmatter['allowed-tools'], ['Read', 'Bash(git:*)']);
    assert.deepEqual(codes(parsed), [
      'warning array-for-string 2',
      'warning not-a-string 6',
      'warning array-for-string 4',
    ]);
  });

  it('cuts a description that is too long, and says so of other fields', () => {
    const parsed = parse(
      `---\nname: bug-hunt\ndescription: ${'word '.repeat(300)}\ncompatibility: ${'x'.repeat(501)}\n---\nGo.`,
    );
    assert.equal(parsed.description.length, 1024);
    assert.deepEqual(codes(parsed), ['warning description-too-long 2', 'warning field-too-long 3']);
  });

  it('only hints at keys that the format does not have', () => {
    const parsed = parse('---\nname: bug-hunt\ndescription: d\nhomepage: https://example.com\ntriggers: [a]\n---\nGo.');
    assert.deepEqual(codes(parsed), ['hint unknown-key 3', 'hint unknown-key 4']);
  });

  it('finds tags wherever people write them', () => {
    const parsed = parse(
      '---\nname: bug-hunt\ndescription: d\ntags: [Bugs, 7]\nmetadata:\n  tags: "debug, #crash"\n  category: quality\n---\nGo.',
    );
    assert.deepEqual(parsed.tags, ['bugs', '7', 'debug', 'crash', 'quality']);
  });

  it('refuses what is empty, no text or a giant, in time', () => {
    assert.deepEqual(codes(parse('')).at(-1), 'error empty 0');
    assert.ok(codes(parse(new Uint8Array([0x7f, 0x45, 0, 0, 1]))).includes('error not-text 0'));
    const started = performance.now();
    const giant = parse(Buffer.from(GOOD + 'x'.repeat(20_000_000)));
    assert.ok(codes(giant).includes('error too-large 0'));
    assert.ok(giant.body.length <= MOST_SKILL_BYTES);
    assert.equal(giant.description, 'Finds bugs.');
    assert.ok(performance.now() - started < 2000);
  });

  it('reads UTF-16 and text with broken bytes, and says so', () => {
    const wide = Buffer.from(`\uFEFF${GOOD}`, 'utf16le');
    assert.equal(parse(wide).description, 'Finds bugs.');
    assert.ok(codes(parse(wide)).includes('warning encoding 0'));
    const broken = Buffer.concat([Buffer.from(GOOD), Buffer.from([0xff, 0x0a])]);
    assert.deepEqual(codes(parse(broken)), ['warning encoding 8']);
    assert.deepEqual(codes(parse(`${GOOD}\uFFFD`)), []);
  });

  it('says where something cannot be seen, and writes it out in the description and the tags', () => {
    const parsed = parse(
      '---\nname: bug-hunt\ndescription: Finds \u202esgub\u202c.\ntags: [a\u200bb]\n---\nGo.\u{e0041}',
    );
    assert.deepEqual(
      codes(parsed).filter((code) => code.includes('hidden')),
      ['warning hidden-characters 2'],
    );
    assert.match(parsed.diagnostics[0]?.message ?? '', /holds 4 characters that cannot be seen, such as U\+202E/);
    assert.equal(parsed.description, 'Finds <U+202E>sgub<U+202C>.');
    assert.deepEqual(parsed.tags, ['a<U+200B>b']);
    const fine = '---\nname: bug-hunt\ndescription: Finds 👩‍🚀 and ❤️, می‌خواهم.\n---\nGo.\t\n';
    assert.deepEqual(codes(parse(fine)), []);
  });

  it('treats keys of objects as keys', () => {
    const parsed = parse('---\nname: bug-hunt\ndescription: d\n__proto__:\n  polluted: yes\nconstructor: x\n---\nGo.');
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    assert.equal(Object.getPrototypeOf(parsed.frontmatter), Object.prototype);
    assert.ok(Object.hasOwn(parsed.frontmatter, '__proto__'));
  });
});

describe('Hostile SKILL.md files', () => {
  const head = '---\nname: bug-hunt\ndescription: Finds bugs.\n';
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefghi'.split('').map((c, i) => `${c}: &${c} [${`*${'abcdefgh'[i]},`.repeat(9)}]`),
  ].join('\n');
  const attacks: Readonly<Record<string, string>> = {
    'a bomb of aliases': `${head}${bomb}\n---\nGo.`,
    'an alias of itself': `${head}x: &x [*x]\n---\nGo.`,
    'many aliases': `${head}x: &x y\nz: [${'*x, '.repeat(10_000)}]\n---\nGo.`,
    'deep lists': `${head}x: ${'['.repeat(60_000)}\n---\nGo.`,
    'deep dashes': `${head}x:\n  ${'- '.repeat(30_000)}\n---\nGo.`,
    'deep questions': `${head}${'? '.repeat(30_000)}\n---\nGo.`,
    'deep indents': `${head}${Array.from({ length: 300 }, (_, at) => `${' '.repeat(at)}k:`).join('\n')}\n---\nGo.`,
    'tags of code': `${head}x: !!js/function "function () { throw 1 }"\ny: !<tag:x> z\n---\nGo.`,
    'many keys': `${head}${Array.from({ length: 5000 }, (_, at) => `k${at}: v`).join('\n')}\n---\nGo.`,
    'many broken keys': `${head}${Array.from({ length: 5000 }, (_, at) => `k${at}: a: b`).join('\n')}\n---\nGo.`,
    'one key many times': `${head}${'name: x\n'.repeat(5000)}---\nGo.`,
    'never closed': `${head}${'x: y\n'.repeat(90_000)}`,
    'only dashes': '---\n'.repeat(100_000),
    'only line ends': '\r\n'.repeat(200_000),
    'only blanks': `---\nname:${' '.repeat(400_000)}x\n---\n`,
    'a long line of hashes': `${head}---\n${'#'.repeat(400_000)}`,
    'many fences': `${head}---\n${'```\n'.repeat(100_000)}`,
    'a quote never closed': `${head}x: "${'\\'.repeat(50_000)}\n---\nGo.`,
    'a block of text never indented': `${head}x: |${'\n'.repeat(50_000)}---\nGo.`,
    'merge keys': `${head}x: &x {a: 1}\ny:\n  <<: *x\n---\nGo.`,
    'numbers that are none': `${head}x: .nan\ny: .inf\nz: 1e999\n---\nGo.`,
  };
  for (const [what, text] of Object.entries(attacks)) {
    it(`reads ${what} in less than a second`, () => {
      const started = performance.now();
      const parsed = parse(text);
      assert.ok(performance.now() - started < 1000, `${performance.now() - started} ms`);
      assert.equal(parsed.name, 'bug-hunt');
      assert.ok(parsed.diagnostics.length < 200);
      JSON.stringify(parsed);
    });
  }

  it('says when front matter is too much to be read as YAML, and reads what it can', () => {
    const says = (yaml: string): readonly string[] =>
      parse(`${head}${yaml}\n---\nGo.`)
        .diagnostics.filter(({ code }) => code === 'frontmatter-too-large')
        .map(({ line, message }) => `${line}: ${message}`);
    const long = `license: ${'x'.repeat(9_000)}\ncompatibility: ${'y'.repeat(9_000)}`;
    assert.deepEqual(says(long), [
      '0: The front matter is too much to be read as a whole: it is longer than 16 KiB. Move parts of it below it, or to a file.',
    ]);
    assert.equal(parse(`${head}${long}\n---\nGo.`).description, 'Finds bugs.');
    const many = says(`license: ${'[,'.repeat(4_000)}`);
    assert.match(many[0] ?? '', /^0: .*: it is nested more than 100 deep\./);
    assert.match(many[1] ?? '', /^3: license was read as plain text: it is nested/);
    assert.match(says(`license: [${','.repeat(4_000)}]`)[1] ?? '', /it has more than 3000 parts/);
    assert.match(says(`license: "${'\\q'.repeat(4_000)}"`)[1] ?? '', /it has more than 3000 parts/);
    assert.deepEqual(says(`license: [${'a, '.repeat(700)}]`), []);
  });

  it('still reads the other fields when one is an attack', () => {
    assert.equal(parse(attacks['a bomb of aliases'] ?? '').description, 'Finds bugs.');
    assert.equal(parse(attacks['deep lists'] ?? '').description, 'Finds bugs.');
  });
});

/** Good files, broken in many small ways: the same ones each time. */
describe('Reading arbitrary files', () => {
  const check = (source: string | Uint8Array): void => {
    const started = performance.now();
    const parsed = parse(source);
    assert.ok(performance.now() - started < 1000, 'too slow');
    const lines = (typeof source === 'string' ? source : Buffer.from(source).toString()).split(/\r\n|\r|\n/).length;
    assert.ok(isSkillName(parsed.name));
    assert.ok(parsed.description.length <= 1024 && !parsed.description.includes('\n'));
    assert.ok(
      parsed.diagnostics.every(({ line, message }) => line >= 0 && line < lines && message !== ''),
      JSON.stringify(parsed.diagnostics),
    );
    assert.ok(
      parsed.description !== '' ||
        parsed.diagnostics.some(({ severity }) => severity === 'error') ||
        parsed.body !== '',
    );
    assert.deepEqual(JSON.parse(JSON.stringify(parsed.frontmatter)), parsed.frontmatter);
  };

  it('survives three thousand mutations of a real one', () => {
    const random = seeded(2026);
    const pieces = [
      '---\n',
      '\n',
      '\r\n',
      ': ',
      '- ',
      '"',
      "'",
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '!!x ',
      '|\n',
      '>\n',
      '#',
      '\t',
      '\0',
      '\uFEFF',
      '```\n',
      'name: ',
      '  ',
      '\uD800',
      'é',
      '%',
      '?',
      '...\n',
    ];
    for (let round = 0; round < 3000; round += 1) {
      let text = skillText('bug-hunt', 'Finds: bugs', '# A\n\nText.\n\n```\n# no\n```\n');
      const times = 1 + Math.floor(random() * 8);
      for (let time = 0; time < times; time += 1) {
        const at = Math.floor(random() * text.length);
        const cut = random() < 0.4 ? Math.floor(random() * 12) : 0;
        text = text.slice(0, at) + (pieces[Math.floor(random() * pieces.length)] ?? '') + text.slice(at + cut);
      }
      check(random() < 0.5 ? text : Buffer.from(text));
    }
  });

  it('hands a bounded amount of YAML to the parser, whatever is in the front matter', () => {
    const random = seeded(64);
    const pieces = 'a,|[|]|{|}|: |? |- |"|\\q|&a |*a |!!x |<<: |,|#|\n|\n  |k: v\n|k: [\n|k: "\\q"\n|é|\t'.split('|');
    let most = 0;
    for (let round = 0; round < 150; round += 1) {
      const own = Array.from({ length: 1 + Math.floor(random() * 6) }, () => pieces[Math.floor(random() * 23)] ?? '');
      const length = 2 ** (8 + Math.floor(random() * 9));
      const text = `---\nname: x\n${own.join('').repeat(Math.ceil(length / own.join('').length))}\n---\nGo.`;
      const bounds = new YamlBounds();
      readFrontMatter(text, () => undefined, bounds);
      assert.ok(bounds.spent <= 2 * MOST_YAML_PARTS, JSON.stringify(own));
      most = Math.max(most, bounds.spent);
    }
    assert.ok(most > MOST_YAML_PARTS / 2, `no round came near the bound: ${most}`);
  });

  it('survives any bytes and any text', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), check), { numRuns: 300, seed: 1 });
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => check(`---\n${text}\n---\nGo.`)),
      { numRuns: 500, seed: 2 },
    );
  });

  it('makes a good name of any folder, or none, and leaves a good one alone', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (folder) => {
        const name = skillNameOf(folder);
        assert.ok(name === '' || isSkillName(name), name);
        assert.equal(skillNameOf(name), name);
      }),
      { numRuns: 500, seed: 3 },
    );
  });
});
