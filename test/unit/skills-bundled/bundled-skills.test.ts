import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tools } from '../../../mcp-server/agent/tools/tools.ts';
import { ManifestFile } from '../../../mcp-server/skills/manifest.ts';
import { estimateTokens } from '../../../mcp-server/skills/parse-skill.ts';
import { bundledNames, bundledRoot, parseBundled } from './bundled.ts';
import { filesOf, manifestOf } from './run-bundled.ts';

const WITH_SCRIPT = ['changelog', 'data-analysis', 'dependency-audit', 'release-notes', 'repository-map'];
const TOOL_NAMES: ReadonlySet<string> = new Set(tools.map(({ name }) => name));
const MOST_TOKENS = 900;

const textOf = (...path: readonly string[]): string => readFileSync(join(bundledRoot, ...path), 'utf8');

/** Words in code style that look like a tool's name. */
const toolsNamedIn = (body: string): readonly string[] =>
  [...body.matchAll(/`([a-z]+(?:_[a-z]+)+|delegate|finish)`/g)].map(([, name = '']) => name);

/** Code-style words with an underscore that are inputs of scripts or of tools. */
const inputsOf = (name: string): ReadonlySet<string> => {
  const properties = WITH_SCRIPT.includes(name) ? manifestOf(name).manifest.input?.['properties'] : {};
  return new Set([...Object.keys(properties ?? {}), 'from_line', 'to_line', 'old_text', 'max_results']);
};

describe('the bundled skills', () => {
  it('are the twelve that the documents name', () => {
    assert.deepEqual(bundledNames, [
      'bug-hunt',
      'changelog',
      'code-review',
      'commit-message',
      'data-analysis',
      'dependency-audit',
      'docs-writer',
      'refactor',
      'release-notes',
      'repository-map',
      'research-synthesis',
      'test-writer',
    ]);
  });

  for (const name of bundledNames)
    describe(name, () => {
      const skill = parseBundled(name);

      it('is clean by the open format, with its licence, tags, version and tokens as texts', () => {
        assert.deepEqual(skill.diagnostics, []);
        assert.equal(skill.frontmatter['name'], name);
        assert.equal(skill.frontmatter['license'], 'MIT');
        const metadata = skill.frontmatter['metadata'] as Record<string, unknown>;
        assert.deepEqual(Object.keys(metadata), ['tags', 'tokens', 'version']);
        assert.ok(Object.values(metadata).every((value) => typeof value === 'string'));
        assert.match(String(metadata['version']), /^\d+\.\d+\.\d+$/);
        assert.ok(skill.tags.length >= 5);
      });

      it('says what it does and when to use it, in words for searching', () => {
        assert.match(skill.description, / Use /);
        assert.ok(skill.description.length >= 120 && skill.description.length <= 500, skill.description);
      });

      it('is short enough for a small model, and its tokens are counted right', () => {
        const { tokens } = skill.frontmatter['metadata'] as Record<string, string>;
        const counted = estimateTokens(skill.body);
        assert.ok(Math.abs(Number(tokens) - counted) <= counted * 0.1, `metadata says ${tokens}, counted ${counted}`);
        assert.ok(counted <= MOST_TOKENS, String(counted));
      });

      it('has numbered steps, an output, what not to do, and checks at the end', () => {
        assert.deepEqual(skill.headings.filter((heading) => heading !== 'With the script').slice(1), [
          'Steps',
          'Output',
          'Do not',
          'Before you finish, check',
        ]);
        assert.equal(skill.headings.includes('With the script'), WITH_SCRIPT.includes(name));
        const steps = [...skill.body.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));
        const inOrder = steps.slice(0, steps.indexOf(1, 1) < 0 ? undefined : steps.indexOf(1, 1));
        assert.ok(inOrder.length >= 5 && inOrder.every((number, index) => number === index + 1), String(steps));
      });

      it('names only tools that there are, ends with finish, and says what to do without commands', () => {
        const inputs = inputsOf(name);
        const named = toolsNamedIn(skill.body).filter((word) => !inputs.has(word));
        assert.deepEqual(
          named.filter((word) => !TOOL_NAMES.has(word)),
          [],
        );
        assert.ok(named.includes('finish'));
        if (named.includes('run_command')) assert.match(skill.body, /if you may not|may not run|If you may not/i);
      });

      it('has a manifest that is right, and asks for nothing but to read', () => {
        assert.equal(existsSync(join(bundledRoot, name, 'manifest.json')), WITH_SCRIPT.includes(name));
        if (!WITH_SCRIPT.includes(name)) return;
        ManifestFile.parse(JSON.parse(textOf(name, 'manifest.json')));
        const { manifest, diagnostics } = manifestOf(name);
        assert.deepEqual(diagnostics, []);
        assert.ok(manifest.tools.every((tool) => TOOL_NAMES.has(tool)));
        const { read, ...others } = manifest.permissions;
        assert.deepEqual(others, { write: [], commands: [], hosts: [] });
        assert.deepEqual(read, ['changelog', 'release-notes'].includes(name) ? [] : ['**']);
      });
    });

  it('carry the same copy of what their scripts share', () => {
    const copies = new Map<string, Map<string, string>>();
    for (const name of WITH_SCRIPT)
      for (const file of filesOf(name).filter((path) => path.startsWith('scripts'))) {
        const texts = copies.get(file) ?? new Map<string, string>();
        copies.set(file, texts.set(name, textOf(name, file)));
      }
    const different = [...copies].filter(([, texts]) => new Set(texts.values()).size > 1);
    assert.deepEqual(
      different.map(([file, texts]) => `${file} of ${[...texts.keys()].join(', ')}`),
      [],
    );
    assert.ok([...copies.values()].some((texts) => texts.size === 5));
  });

  it('have scripts that import nothing but Node and themselves', () => {
    const scripts = WITH_SCRIPT.flatMap((name) =>
      filesOf(name)
        .filter((file) => file.endsWith('.mjs'))
        .map((file) => textOf(name, file)),
    );
    const imported = scripts
      .flatMap((text) => [...text.matchAll(/\bfrom '([^']+)'|\bimport\('([^']+)'\)/g)])
      .map(([, from]) => from);
    const foreign = new Set(imported.filter((from) => !from?.startsWith('./')));
    assert.deepEqual(foreign, new Set(['node:fs', 'node:path']));
  });
});
