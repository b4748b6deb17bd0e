import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { z } from 'zod';
import {
  ManifestFile,
  manifestJsonSchema,
  NO_MANIFEST,
  type ParsedManifest,
  parseManifest,
} from '../../../mcp-server/skills/manifest.ts';

const FILES = ['SKILL.md', 'manifest.json', 'run.py', 'scripts/run.mjs'];
const parse = (value: unknown): ParsedManifest =>
  parseManifest(typeof value === 'string' ? value : JSON.stringify(value, null, 2), '/r/s/manifest.json', FILES);
const codes = (parsed: ParsedManifest): string[] =>
  parsed.diagnostics.map(({ severity, code, line }) => `${severity} ${code} ${line}`);

const WHOLE = {
  tools: ['read_file'],
  permissions: {
    read: ['src/**'],
    write: ['CHANGELOG.md'],
    commands: ['git'],
    hosts: ['API.example.com', '*.example.org:8443'],
  },
  entry: './scripts/run.mjs',
  input: { type: 'object', properties: { since: { type: 'string' } } },
  output: { type: 'object' },
  timeoutMs: 5000,
};

describe('Reading a manifest.json', () => {
  it('takes a good one whole', () => {
    const parsed = parse(WHOLE);
    assert.deepEqual(codes(parsed), ['warning manifest-hosts 14']);
    assert.deepEqual(parsed.manifest, {
      ...WHOLE,
      entry: 'scripts/run.mjs',
      permissions: { ...WHOLE.permissions, hosts: ['api.example.com', '*.example.org:8443'] },
    });
  });

  it('says which scripts no host can be told from another for, and leaves the hosts as they are', () => {
    const of = (entry: string, commands: readonly string[], hosts: readonly string[]) =>
      parse({ entry, permissions: { commands, hosts } });
    const loose = of('run.py', [], ['api.example.com']);
    assert.match(loose.diagnostics[0]?.message ?? '', /Declare "\*".*or write it in JavaScript/);
    assert.deepEqual(loose.manifest.permissions.hosts, ['api.example.com']);
    assert.equal(codes(of('scripts/run.mjs', ['git'], ['api.example.com'])).length, 1);
    for (const fine of [
      of('scripts/run.mjs', [], ['api.example.com']),
      of('run.py', [], ['*']),
      of('run.py', [], []),
      parse({ permissions: { hosts: ['api.example.com'] } }),
    ])
      assert.deepEqual(codes(fine), []);
  });

  it('asks for nothing where nothing is said', () => {
    assert.deepEqual(parse({}), { manifest: NO_MANIFEST, diagnostics: [] });
  });

  it('leaves out what is wrong, never more, and says at which line', () => {
    const text = `{
  "tools": "read_file",
  "permissions": {
    "read": ["/etc", "src/../../x", "ok/**", 7],
    "write": "out/*.md",
    "commands": ["git status", "sh -c", "/bin/sh"],
    "hosts": ["https://example.com", "**", "example.com"]
  },
  "timeoutMs": "long",
  "colour": 1
}`;
    const parsed = parse(text);
    assert.deepEqual(parsed.manifest, {
      ...NO_MANIFEST,
      tools: ['read_file'],
      permissions: { read: ['ok/**'], write: ['out/*.md'], commands: [], hosts: ['example.com'] },
    });
    assert.deepEqual(codes(parsed), [
      'hint manifest-unknown-key 9',
      'warning manifest-type 1',
      ...Array.from({ length: 3 }, () => 'warning manifest-value 3'),
      'warning manifest-type 4',
      ...Array.from({ length: 3 }, () => 'warning manifest-value 5'),
      ...Array.from({ length: 2 }, () => 'warning manifest-value 6'),
      'warning manifest-type 8',
    ]);
  });

  it('refuses what is no JSON object, at its line', () => {
    assert.deepEqual(codes(parse('{\n  "tools": [],\n}')), ['error manifest-invalid 1']);
    assert.deepEqual(codes(parse('[]')), ['error manifest-invalid 0']);
    assert.deepEqual(codes(parse('')), ['error manifest-invalid 0']);
    assert.deepEqual(codes(parse(`{"input": ${'['.repeat(500)}${']'.repeat(500)}}`)), ['error manifest-invalid 0']);
    assert.deepEqual(codes(parse(`{"a": "${'x'.repeat(70_000)}"}`)), ['error manifest-invalid 0']);
  });

  it('takes only a regular file of the skill as its entry', () => {
    for (const entry of [
      '../run.mjs',
      '/bin/sh',
      'scripts/../../x',
      'scripts',
      'scripts/none.mjs',
      '',
      7,
      'C:\\x',
      'scripts\\run.mjs',
      '~/x',
    ]) {
      const parsed = parse({ tools: [], entry });
      assert.deepEqual(
        codes(parsed).filter((code) => code.startsWith('error')),
        ['error manifest-entry 2'],
        String(entry),
      );
      assert.equal(parsed.manifest.entry, null);
    }
  });

  it('refuses what a person could not see or would read otherwise', () => {
    for (const hidden of [
      '\u202e',
      '\u2066',
      '\u200b',
      '\u00ad',
      '\ufeff',
      '\u{e0041}',
      '\u00a0',
      '\u3164',
      '\u0085',
      '\ufe0f',
    ]) {
      const parsed = parse({
        tools: [`run${hidden}`],
        permissions: {
          read: [`src/${hidden}x`],
          write: [hidden],
          commands: [`gi${hidden}t`],
          hosts: [`a${hidden}.com`],
        },
        entry: `scripts/run${hidden}.mjs`,
      });
      const name = `U+${hidden.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`;
      assert.deepEqual(parsed.manifest, NO_MANIFEST, name);
      assert.equal(parsed.diagnostics.length, 6, name);
      for (const { message } of parsed.diagnostics) {
        assert.ok(message.includes(name), message);
        assert.doesNotMatch(message, /(?! )[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/u);
      }
    }
    assert.deepEqual(codes(parse({ permissions: { read: ['日本/ä ö/**'] } })), []);
  });

  it('is not confused by keys of objects', () => {
    assert.deepEqual(parse('{"__proto__": {"entry": "scripts/run.mjs"}}').manifest, NO_MANIFEST);
    assert.deepEqual(codes(parse('{"constructor": 1}')), ['hint manifest-unknown-key 0']);
  });

  it('never throws, whatever the file holds', () => {
    const check = (text: string): void => void JSON.stringify(parse(text));
    fc.assert(fc.property(fc.string({ maxLength: 300 }), check), { numRuns: 300, seed: 1 });
    const keys = fc.constantFrom('tools', 'permissions', 'entry', 'input', 'output', 'timeoutMs', 'x');
    fc.assert(
      fc.property(fc.dictionary(keys, fc.jsonValue({ maxDepth: 3 })), (value) => check(JSON.stringify(value))),
      { numRuns: 500, seed: 2 },
    );
  });
});

describe('The JSON schema of a manifest', () => {
  const kept: unknown = JSON.parse(
    readFileSync(new URL('../../../media/schemas/skill-manifest.schema.json', import.meta.url), 'utf8'),
  );

  it('is what the program checks by', () => {
    assert.deepEqual(
      kept,
      JSON.parse(JSON.stringify(manifestJsonSchema())),
      'Write the schema anew: it is made by manifestJsonSchema().',
    );
  });

  it('agrees with the program on good and bad manifests', () => {
    const schema = z.fromJSONSchema(kept as Parameters<typeof z.fromJSONSchema>[0]);
    const item = fc.oneof(
      fc.constantFrom(
        'src/**',
        '../x',
        '/x',
        'git',
        'git x',
        'example.com',
        'https://x',
        'a..b/c',
        'Cc {p}/ü 🌲',
        '..',
        'x/..',
        '',
      ),
      fc.integer(),
    );
    const list = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(['git'], ['example.com'], [], ['a/b']) },
      fc.array(item, { maxLength: 2 }),
      fc.constant('git'),
    );
    const mostly = (good: unknown, bad: fc.Arbitrary<unknown>) =>
      fc.oneof({ weight: 6, arbitrary: fc.constant(good) }, bad);
    const known = fc.record(
      {
        $schema: fc.string(),
        tools: list,
        permissions: fc.record({ read: list, write: list, commands: list, hosts: list }, { requiredKeys: [] }),
        entry: mostly('scripts/run.mjs', item),
        input: mostly({ type: 'object' }, fc.constantFrom(null, 1, [])),
        timeoutMs: mostly(100, fc.constantFrom(99, 1.5, 3_600_000, 3_600_001, 'x')),
      },
      { requiredKeys: [] },
    );
    const manifest = fc
      .tuple(known, mostly({}, fc.constantFrom({ other: 1 }, { permissions: { x: [] } }, { permissions: 1 })))
      .map(([one, more]) => ({ ...one, ...(more as object) }));
    let good = 0;
    fc.assert(
      fc.property(manifest, (value) => {
        const said = ManifestFile.safeParse(value).success;
        if (said) good += 1;
        assert.equal(schema.safeParse(value).success, said, JSON.stringify(value));
        // What a schema cannot say.
        const beyond = new Set(['manifest-entry', 'manifest-hosts']);
        const told = parse(value).diagnostics.filter(({ code }) => !beyond.has(code));
        if (said) assert.deepEqual(told, [], JSON.stringify(value));
      }),
      { numRuns: 1000, seed: 4 },
    );
    assert.ok(good > 20, `${good} good ones`);
  });
});
