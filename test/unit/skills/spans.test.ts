import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { placesInJson } from '../../../mcp-server/skills/json-places.ts';
import { parseManifest } from '../../../mcp-server/skills/manifest.ts';
import { parseSkill } from '../../../mcp-server/skills/parse-skill.ts';
import type { SkillDiagnostic } from '../../../mcp-server/skills/port.ts';
import { linesOf, type TextSpan } from '../../../mcp-server/skills/text-span.ts';

type Place = { readonly [K in keyof TextSpan]?: TextSpan[K] | undefined };

/** The text that an editor underlines for a finding; undefined: the whole line. */
const underlined = (text: string, { line, column, endLine, endColumn }: Place): string | undefined => {
  if (line === undefined || column === undefined || endLine === undefined || endColumn === undefined) return undefined;
  const lines = linesOf(text.replace(/^\uFEFF/, '')).slice(line, endLine + 1);
  lines.push(lines.pop()?.slice(0, endColumn) ?? '');
  return lines.map((one, index) => (index === 0 ? one.slice(column) : one)).join('\n');
};

const of = (text: string, found: readonly SkillDiagnostic[]): Record<string, string | undefined> =>
  Object.fromEntries(found.map((one) => [one.code, underlined(text, one)]));
const skill = (text: string): Record<string, string | undefined> =>
  of(text, parseSkill(text, '/r/.agents/skills/bug-hunt/SKILL.md').diagnostics);
const manifest = (text: string): Record<string, string | undefined> =>
  of(text, parseManifest(text, '/r/s/manifest.json', ['SKILL.md']).diagnostics);

describe('The place of a finding', () => {
  it('is the value that is wrong, and the key that is unknown', () => {
    assert.deepEqual(
      skill(
        '---\nname:  Other  # mine\ndescription: [Finds, bugs]\ncolour : red\nlicense: 2.0\nmetadata:\n  a: b\n  n: 17\n---\nGo.',
      ),
      {
        'name-invalid': 'Other',
        'array-for-string': '[Finds, bugs]',
        'unknown-key': 'colour',
        'not-a-string': '2.0',
        'metadata-not-strings': '17',
      },
    );
    assert.deepEqual(skill('---\nname:\ndescription:\n---\nGo.'), {
      'name-missing': 'name',
      'description-missing': 'description',
    });
    assert.deepEqual(skill('---\nname: bug-hunt\nallowed-tools:\n  - Read\n  - Grep\n\ndescription: d\n---\nGo.'), {
      'array-for-string': '- Read\n  - Grep',
    });
    assert.deepEqual(skill('---\nname: bug-hunt\nname: bug-hunt\ndescription: d\n---\nGo.'), {
      'duplicate-key': 'name',
    });
  });

  it('is the value also where the front matter is no YAML, with lines that end as on Windows, and behind a mark', () => {
    const text = '\uFEFF---\r\nname: other\r\ndescription: Use when: now  \r\nlicense: [x\r\n---\r\nGo.';
    assert.deepEqual(skill(text), {
      bom: undefined,
      crlf: undefined,
      'name-mismatch': 'other',
      'unquoted-value': '[x',
    });
    assert.equal(
      underlined(
        text,
        parseSkill(text, '/r/bug-hunt/SKILL.md').diagnostics.find(({ message }) => message.includes('description')) ??
          {},
      ),
      'Use when: now',
    );
    assert.deepEqual(skill('---\nname: bug-hunt\ndescription: d\n\tlicense: x: y\n---\nGo.'), {
      'yaml-invalid': 'd\n\tlicense: x: y',
    });
  });

  it('never lies outside of the text', () => {
    const part = fc.constantFrom(
      '---',
      '\n',
      '\r\n',
      'name: ',
      'description:',
      'a: b: c',
      '[',
      '- x',
      '\t',
      '  ',
      '"',
      '\0',
      '🌲',
      'x',
    );
    const check = (text: string, found: readonly SkillDiagnostic[]): void => {
      const lines = linesOf(text.replace(/^\uFEFF/, ''));
      for (const { code, line, column = 0, endLine = line, endColumn = column } of found) {
        const place = `${code} ${line}:${column}-${endLine}:${endColumn} of ${JSON.stringify(text)}`;
        assert.ok(line >= 0 && endLine >= line && endLine < lines.length, place);
        assert.ok(column <= (lines[line]?.length ?? 0) && endColumn <= (lines[endLine]?.length ?? 0), place);
        assert.ok(endLine > line || endColumn >= column, place);
      }
    };
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        const text = parts.join('');
        check(text, parseSkill(text, '/r/bug-hunt/SKILL.md').diagnostics);
        const front = `---\n${text}`;
        check(front, parseSkill(front, '/r/bug-hunt/SKILL.md').diagnostics);
        check(text, parseManifest(text, '/r/manifest.json', []).diagnostics);
      }),
      { numRuns: 1500, seed: 5 },
    );
  });

  it('is the entry of a list, the key or the value in a manifest', () => {
    assert.deepEqual(
      manifest(
        '{ "tools": "read_file",\n  "permissions": { "read": ["ok/**", "/etc"] }, "entry": "no.mjs",\n\t"colour": {} }',
      ),
      {
        'manifest-type': '"read_file"',
        'manifest-value': '"/etc"',
        'manifest-entry': '"no.mjs"',
        'manifest-unknown-key': '"colour"',
      },
    );
    assert.deepEqual(manifest('{"permissions": {"commands": "git status"}}')['manifest-value'], '"git status"');
  });

  it('is what JSON does not allow, with what is expected instead', () => {
    const faults: readonly (readonly [string, string, RegExp])[] = [
      ['{ "tools": [],\n}', ',', /comma too many/],
      ['{ "tools": [1, 2,] }', ',', /comma too many/],
      ['{ "tools": [1 2] }', '2', /a comma or \] is expected/],
      ['{ tools: [] }', 'tools', /a key in double quotes/],
      ["{ 'tools': [] }", "'tools'", /a key in double quotes/],
      ['{ "tools" [] }', '[', /a colon is expected/],
      ['{\n  "entry": run.mjs\n}', 'run.mjs', /a value is expected/],
      ['{ "entry": "a\n" }', '"a', /has no end/],
      ['{ "a": 1 } x', 'x', /nothing may follow/],
      ['{ "a": [1, ', ',', /ends too early/],
      ['{ "a": 01 }', '01', /a value is expected/],
    ];
    for (const [text, place, message] of faults) {
      const [found] = parseManifest(text, '/r/manifest.json', []).diagnostics;
      assert.equal(found?.code, 'manifest-invalid');
      assert.equal(underlined(text, found), place, text);
      assert.match(found.message, message);
    }
  });

  it('finds a fault in a text exactly when it is no JSON', () => {
    const text = fc
      .tuple(
        fc.json({ maxDepth: 3 }),
        fc.nat(),
        fc.constantFrom('', ',', '"', '}', ']', ':', '1', '-', '\\', 'x', '\n'),
      )
      .map(([json, at, put]) => json.slice(0, at % (json.length + 1)) + put + json.slice((at % (json.length + 1)) + 1));
    const isJson = (one: string): boolean => {
      try {
        JSON.parse(one);
        return true;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(text, (one) => assert.equal(placesInJson(one).fault === null, isJson(one), one)),
      { numRuns: 3000, seed: 7 },
    );
  });
});
