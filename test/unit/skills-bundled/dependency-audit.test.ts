import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { complaintOf, folderWith, manifestOf, runBundled } from './run-bundled.ts';

interface Finding {
  readonly package: string;
  readonly file: string;
  readonly line: number | null;
  readonly kind: string;
  readonly severity: string;
  readonly detail: string;
}
interface Audit {
  readonly manifests: readonly {
    readonly file: string;
    readonly direct: number;
    readonly locked: number | null;
    readonly lockFile: string | null;
  }[];
  readonly counts: { readonly severity: Record<string, number>; readonly kind: Record<string, number> };
  readonly findings: readonly Finding[];
  readonly findingsLeftOut: number;
  readonly licences: readonly { readonly licence: string; readonly packages: number; readonly kind: string }[];
  readonly notes: readonly string[];
}

const auditAt = (root: string, input: object = {}): Audit => {
  const result = runBundled('dependency-audit', { max_chars: 100_000, ...input }, root) as Audit;
  z.fromJSONSchema(manifestOf('dependency-audit').manifest.output as never).parse(result);
  return result;
};

const audit = (files: Readonly<Record<string, string>>, input: object = {}): Audit => {
  const root = folderWith(files);
  try {
    return auditAt(root, input);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
};

/** `severity kind package: detail`, sorted. */
const said = ({ findings }: Audit): readonly string[] =>
  findings.map((one) => `${one.severity} ${one.kind} ${one.package}: ${one.detail}`).toSorted();

const npm = (facts: object): string => JSON.stringify({ name: 'app', private: true, ...facts }, null, 2);
const lock = (packages: object): string => JSON.stringify({ lockfileVersion: 3, packages }, null, 2);

describe('the script of dependency-audit', () => {
  it('finds npm ranges that let everything in, come from somewhere else, or stand twice', () => {
    const result = audit({
      'package.json': npm({
        dependencies: {
          any: '*',
          newest: 'latest',
          floor: '>=1.2',
          either: '^1 || >=3',
          pinned: '1.2.3',
          caret: '^1.2.3',
          fork: 'github:me/fork',
          commit: 'git+https://example.com/a.git#0123456789abcdef',
          local: 'file:../local',
          inside: 'workspace:*',
          alias: 'npm:other@^2.0.0',
        },
        devDependencies: { pinned: '1.2.4' },
        peerDependencies: { react: '>=17' },
      }),
      'yarn.lock': '',
    });
    assert.deepEqual(
      said(result),
      [
        'high unpinned any: "*" lets every newer version in',
        'high unpinned fork: comes from github:me/fork without a commit',
        'high unpinned newest: "latest" lets every newer version in',
        'medium duplicate pinned: is declared twice, also in devDependencies',
        'medium local-source local: comes from a path: file:../local',
        'medium unpinned floor: ">=1.2" lets every newer version in',
        'high unpinned either: "^1 || >=3" lets every newer version in',
      ].toSorted(),
    );
    assert.equal(result.findings.find((one) => one.package === 'any')?.line, 5);
    assert.ok(result.notes.includes('yarn.lock is not read: no duplicates and licences from it.'));
  });

  it('holds ranges against the lock file: what does not fit, is missing, is behind, is given up', () => {
    const result = audit({
      'package.json': npm({
        dependencies: { drifted: '^2.0.0', gone: '^1.0.0', behind: '^1.0.0', old: '~1.2.0', zero: '^0.2.1' },
      }),
      'package-lock.json': lock({
        '': { name: 'app' },
        'node_modules/drifted': { version: '1.9.0', license: 'MIT' },
        'node_modules/behind': { version: '1.5.0', license: 'MIT' },
        'node_modules/old': { version: '1.2.9', license: 'ISC', deprecated: 'use new' },
        'node_modules/zero': { version: '0.2.9', license: '(MIT OR GPL-3.0)' },
        'node_modules/old/node_modules/behind': { version: '3.0.0', license: 'MIT' },
        'node_modules/deep': { version: '1.0.0', license: 'AGPL-3.0-only' },
        'node_modules/tool': { version: '1.0.0', license: 'GPL-2.0', dev: true },
        'node_modules/weak': { version: '1.0.0', license: 'MPL-2.0' },
        'node_modules/odd': { version: '1.0.0', license: 'Odd-1.0' },
        'node_modules/silent': { version: '1.0.0' },
      }),
    });
    assert.deepEqual(said(result), [
      'high deprecated old: 1.2.9 is given up by its authors: use new',
      'high licence deep: AGPL-3.0-only asks to share the whole work, or is not free',
      'high not-locked gone: is declared but not in the lock file',
      'high outdated-range drifted: "^2.0.0" does not admit the locked version 1.9.0',
      'low licence odd: Odd-1.0 is not a known licence: read it',
      'low licence tool: GPL-2.0 asks to share the whole work, or is not free (development only)',
      'medium duplicate behind: is installed in 2 versions: 1.5.0, 3.0.0',
      'medium licence weak: MPL-2.0 asks to share changes of it',
      'medium outdated-range behind: "^1.0.0" gives 1.5.0; another package already uses 3.0.0',
    ]);
    assert.deepEqual(result.manifests, [
      { file: 'package.json', ecosystem: 'npm', direct: 5, locked: 10, lockFile: 'package-lock.json' },
    ]);
    assert.deepEqual(
      result.licences.find(({ licence }) => licence === 'not found'),
      { licence: 'not found', packages: 1, kind: 'unknown' },
    );
    assert.equal(result.licences.find(({ licence }) => licence === '(MIT OR GPL-3.0)')?.kind, 'free');
  });

  it('reads lock files of the first version, and licences of what is installed', () => {
    const { licences, findings } = audit({
      'package.json': npm({ dependencies: { a: '^1.0.0' } }),
      'package-lock.json': JSON.stringify({
        lockfileVersion: 1,
        dependencies: { a: { version: '1.0.0', dependencies: { b: { version: '2.0.0' } } }, b: { version: '1.0.0' } },
      }),
      'node_modules/a/package.json': '{"license":{"type":"MIT"}}',
    });
    assert.deepEqual(
      licences.map(({ licence, packages }) => [licence, packages]),
      [
        ['not found', 2],
        ['MIT', 1],
      ],
    );
    assert.deepEqual(
      findings.map(({ kind, package: name }) => [kind, name]),
      [['duplicate', 'b']],
    );
  });

  it('finds a missing lock file and licence, and the same package with other ranges in a workspace', () => {
    const result = audit({
      'package.json': JSON.stringify({ name: 'open', dependencies: { a: '^1.0.0' } }),
      'packages/one/package.json': npm({ dependencies: { a: '^2.0.0' } }),
      'test/fixtures/package.json': npm({ dependencies: { z: '*' } }),
    });
    assert.deepEqual(said(result), [
      'low duplicate a: "^2.0.0" here, "^1.0.0" in package.json',
      'medium licence open: this package itself names no licence',
      'medium no-lock app: there is no lock file',
      'medium no-lock open: there is no lock file',
    ]);
  });

  it('reads Python requirements and pyproject files of both kinds', () => {
    const result = audit({
      'requirements.txt': [
        '# pinned',
        'flask==2.0.1 ; python_version > "3"',
        'Requests[security]>=2.0',
        'numpy',
        'pandas~=1.4',
        '-r more.txt',
        '-e ./here',
        'git+https://example.com/x.git#egg=x',
        'git+https://example.com/y.git@0123456789#egg=y',
        'flask==2.0.2',
        'hashed==1.0 \\',
        '    --hash=sha256:00',
      ].join('\r\n'),
      'api/pyproject.toml':
        '[project]\nname = "api"\ndependencies = [\n  "httpx>=0.20", # a comment, with "quotes"\n  "anyio[trio]==4.0",\n]\n[tool.poetry.dependencies]\npython = "^3.10"\nrich = { version = "*", extras = ["a"] }\n',
      '.venv/lib/python3.12/site-packages/flask-2.0.1.dist-info/METADATA':
        'Name: Flask\nLicense-Expression: BSD-3-Clause\n\nLicense: GPL\n',
      '.venv/lib/python3.12/site-packages/x-1.0.dist-info/METADATA':
        'Name: x\nClassifier: License :: OSI Approved :: GPLv3\n\n',
    });
    assert.deepEqual(
      said(result).filter((line) => !line.includes('licence')),
      [
        'high unpinned rich: has no version at all',
        'high unpinned x: comes from git+https://example.com/x.git#egg=x without a commit',
        'low unpinned numpy: has no version at all',
        'low unpinned requests: ">=2.0" lets every newer version in',
        'medium duplicate flask: "==2.0.2" here, "==2.0.1" in line 2',
        'medium local-source ./here: comes from a path: -e ./here',
        'medium unpinned httpx: ">=0.20" lets every newer version in',
      ],
    );
    assert.equal(result.findings.find((one) => one.package === 'numpy')?.line, 4);
    assert.ok(said(result).includes('high licence x: GPLv3 asks to share the whole work, or is not free'));
  });

  it('reads go.mod: commits instead of releases, two major versions, replacements by a path', () => {
    const result = audit({
      'go.mod': [
        'module example.com/app',
        'require example.com/one v1.2.3',
        'require (',
        '  example.com/commit v0.0.0-20230101120000-0123456789ab',
        '  gopkg.in/yaml.v2 v2.4.0 // indirect',
        '  gopkg.in/yaml.v3 v3.0.1',
        ')',
        'replace example.com/one => ../one',
      ].join('\n'),
    });
    assert.deepEqual(said(result), [
      'high no-lock go.mod: there is no go.sum beside it',
      'medium duplicate gopkg.in/yaml: is required in 2 major versions: v2.4.0, v3.0.1',
      'medium local-source example.com/one: is replaced by the path ../one',
      'medium unpinned example.com/commit: v0.0.0-20230101120000-0123456789ab is a commit, not a release',
    ]);
  });

  it('reads Cargo.toml in all its forms, with its lock file', () => {
    const result = audit({
      'Cargo.toml': [
        '[package]',
        'name = "app"',
        '[dependencies]',
        'any = "*"',
        'serde = { version = "1.0", features = ["derive"] }',
        'old = "0.3"',
        'fork = { git = "https://example.com/fork" }',
        'tagged = { git = "https://example.com/t", tag = "v1" }',
        'shared = { workspace = true }',
        'other.workspace = true',
        '[dependencies.table]',
        'version = "2"',
        '[dev-dependencies]',
        'gone = "1"',
      ].join('\n'),
      'Cargo.lock': [
        'any 1.0.0',
        'serde 1.0.200',
        'old 0.4.0',
        'table 2.1.0',
        'table 3.0.0',
        'deep 1.0.0',
        'deep 2.0.0',
      ]
        .map((line) => line.split(' '))
        .map(([name, version]) => `[[package]]\nname = "${name}"\nversion = "${version}"\nsource = "registry"\n`)
        .join('\n'),
      'vendor/serde/Cargo.toml': '[package]\nname = "serde"\nlicense = "MIT OR Apache-2.0"\n',
    });
    assert.deepEqual(said(result), [
      'high not-locked gone: is declared but not in the lock file',
      'high outdated-range old: "0.3" does not admit the locked 0.4.0',
      'high unpinned any: has no version at all',
      'high unpinned fork: comes from https://example.com/fork without a rev or tag',
      'low duplicate deep: is locked in 2 versions: 1.0.0, 2.0.0',
      'medium duplicate table: is locked in 2 versions: 2.1.0, 3.0.0',
      'medium licence app: this package itself names no licence',
      'medium outdated-range table: "2" gives 2.1.0; another crate already uses 3.0.0',
    ]);
    assert.equal(result.licences.find(({ licence }) => licence === 'MIT OR Apache-2.0')?.packages, 1);
  });

  it('says which ranges are behind, when it is told the newest versions', () => {
    const files = {
      'package.json': npm({ dependencies: { express: '^4.0.0', fine: '^5.0.0', other: '1.x' } }),
      'package-lock.json': lock({
        'node_modules/express': { version: '4.1.0', license: 'MIT' },
        'node_modules/fine': { version: '5.0.0', license: 'MIT' },
        'node_modules/other': { version: '1.0.0', license: 'MIT' },
      }),
      'requirements.txt': 'flask==2.0.1\n',
    };
    const result = audit(files, { latest: { express: '5.1.0', fine: '5.9.0', other: '1.8.0', flask: '3.0.0' } });
    assert.deepEqual(said(result), [
      'medium outdated-range express: "^4.0.0" does not admit the latest, 5.1.0',
      'medium outdated-range flask: "==2.0.1" does not admit the latest, 3.0.0',
    ]);
    assert.deepEqual(result.notes, []);
    assert.match(audit(files).notes.join(), /Nothing was asked of a registry/);
  });

  it('reads ranges as npm does', () => {
    const cases: readonly (readonly [string, string, boolean])[] = [
      ['^1.2.3', '1.9.0', true],
      ['^1.2.3', '1.2.2', false],
      ['^0.2.3', '0.3.0', false],
      ['^0.0.3', '0.0.4', false],
      ['~1.2', '1.3.0', false],
      ['1.2.x', '1.2.9', true],
      ['1.x', '2.0.0', false],
      ['=1.2.3', '1.2.3', true],
      ['>1.2 <2', '1.2.9', false],
      ['>= 1.2.0 < 2.0.0', '1.9.9', true],
      ['1.0.0 - 1.4.0', '1.4.0', true],
      ['1.0.0 - 1.4.0', '1.4.1', false],
      ['<=1.4', '1.4.9', true],
      ['1.2.3', '1.2.4', false],
      ['^2.0.0-beta.2', '2.0.0-beta.10', true],
      ['^2.0.0', '2.0.0-beta.1', false],
    ];
    const names = cases.map((_, index) => `package-${String(index).padStart(2, '0')}`);
    const dependencies = Object.fromEntries(cases.map(([range], index) => [names[index], range]));
    const latest = Object.fromEntries(cases.map(([, version], index) => [names[index], version]));
    const { findings } = audit({ 'package.json': npm({ dependencies }), 'yarn.lock': '' }, { latest });
    const refused = findings.filter(({ kind }) => kind === 'outdated-range').map((one) => one.package);
    const wrong = cases.filter(([, , admitted], index) => refused.includes(names[index] ?? '') === admitted);
    assert.deepEqual(wrong, []);
  });

  it('is not upset by broken files, and says when there is nothing to audit', () => {
    const broken = audit({
      'package.json': '{ not json',
      'b/package.json': npm({ dependencies: { a: '1.0.0' } }),
      'b/package-lock.json': '[',
      'Cargo.toml': '[[[\n= "\n"""',
      'go.mod': ')(',
      'requirements.txt': '\0\0',
    });
    assert.ok(broken.notes.includes('package.json cannot be read.'));
    assert.ok(broken.notes.includes('b/package-lock.json cannot be read.'));
    assert.match(audit({ 'a.txt': 'a' }).notes.join(), /There is no package.json/);
  });

  it('bounds what it answers, worst first, and tells how much is missing', () => {
    const dependencies = Object.fromEntries(
      Array.from({ length: 300 }, (_, n) => [`package-${n}`, n < 5 ? '*' : '>=1']),
    );
    const files = { 'package.json': npm({ dependencies }), 'yarn.lock': '' };
    const result = audit(files, { max_findings: 10 });
    assert.deepEqual([result.findings.length, result.findingsLeftOut], [10, 290]);
    assert.deepEqual(
      result.findings.slice(0, 6).map(({ severity }) => severity),
      ['high', 'high', 'high', 'high', 'high', 'medium'],
    );
    assert.deepEqual(result.counts.severity, { high: 5, medium: 295 });
    assert.ok(JSON.stringify(audit(files, { max_findings: 500, max_chars: 5000 })).length <= 5000);
  });

  it('audits its own repository', () => {
    const result = auditAt(fileURLToPath(new URL('../../../', import.meta.url)));
    const own = result.manifests.find(({ file }) => file === 'package.json');
    assert.ok(own && own.direct > 20 && (own.locked ?? 0) > 100, JSON.stringify(own));
    assert.ok((result.licences.find(({ licence }) => licence === 'MIT')?.packages ?? 0) > 100);
    assert.deepEqual(
      result.findings.filter(({ kind }) => ['not-locked', 'no-lock', 'unpinned'].includes(kind)),
      [],
    );
  });

  it('says what is wrong with its input', () => {
    const root = folderWith({ 'a.txt': 'a' });
    assert.match(
      complaintOf('dependency-audit', { latest: ['express'] }, root),
      /"latest" must be an object of versions/,
    );
    assert.match(complaintOf('dependency-audit', { max_findings: 0 }, root), /"max_findings" must be a whole number/);
    rmSync(root, { recursive: true });
  });
});
