import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Clock, systemClock } from '../../../mcp-server/domain/clock.ts';
import { contentHash } from '../../../mcp-server/skills/content-hash.ts';
import { copySkill } from '../../../mcp-server/skills/copy-skill.ts';
import {
  type Discovered,
  type DiscoverOptions,
  discoverSkills,
  skillRoots,
} from '../../../mcp-server/skills/discover.ts';
import { writeManySkills } from './many-skills.ts';
import { put, removeFoldersAfterwards, skillText, temporaryFolder } from './places.ts';

/** Ten seconds ahead: what was just written counts as settled. */
const LATER: Clock = { ...systemClock, now: () => Date.now() + 10_000 };

interface Place {
  readonly repository: string;
  readonly home: string;
  readonly bundled: string;
}
const place = (): Place => {
  const top = temporaryFolder();
  const at = { repository: join(top, 'repository'), home: join(top, 'home'), bundled: join(top, 'bundled') };
  for (const folder of Object.values(at)) mkdirSync(folder);
  return at;
};
const discover = (at: Place, more: Partial<DiscoverOptions> = {}): Promise<Discovered> =>
  discoverSkills({ ...at, clock: LATER, ...more });
const codes = ({ diagnostics }: Discovered): string[] => diagnostics.map(({ severity, code }) => `${severity} ${code}`);
const names = ({ winners }: Discovered): string[] => [...winners.keys()].sort();

describe('Finding skills', () => {
  removeFoldersAfterwards();

  it('finds them in every root, and the nearest wins', async () => {
    const at = place();
    const roots = skillRoots(at);
    assert.deepEqual(
      roots.map(({ base, path }) => join(base, path)),
      [
        ...['.coppice', '.agents', '.github', '.claude'].map((name) => join(at.repository, name, 'skills')),
        ...['.coppice', '.agents', '.github', '.claude'].map((name) => join(at.home, name, 'skills')),
        at.bundled,
        join(at.repository, '.coppice', 'drafts'),
      ],
    );
    roots.forEach(({ base, path }, index) => {
      put(join(base, path), 'everywhere/SKILL.md', skillText('everywhere', `From root ${index}.`));
      put(join(base, path), `only-${index}/SKILL.md`, skillText(`only-${index}`));
    });
    const found = await discover(at);
    assert.equal(found.winners.get('everywhere')?.description, 'From root 0.');
    assert.equal(found.winners.size, roots.length + 1);
    assert.equal(found.winners.get('only-8')?.source.kind, 'bundled');
    assert.equal(found.winners.get('only-9')?.source.kind, 'draft');
    assert.deepEqual(found.winners.get('only-5')?.source, { kind: 'home', root: join(at.home, '.agents/skills') });
    const shadowed = found.diagnostics.filter(({ code }) => code === 'shadowed');
    assert.equal(shadowed.length, roots.length - 1);
    assert.equal(shadowed.filter(({ severity }) => severity === 'warning').length, 1, 'only the draft');
    assert.match(shadowed[0]?.message ?? '', /\.coppice\/skills\/everywhere is nearer/);
  });

  it('finds them in groups, but not inside another skill, in hidden folders or in packages', async () => {
    const at = place();
    const root = join(at.repository, '.claude/skills');
    put(root, 'group/deeper/one/SKILL.md', skillText('one'));
    put(root, 'one-more/SKILL.md', skillText('one-more'));
    put(root, 'one-more/examples/inner/SKILL.md', skillText('inner'));
    put(root, '.hidden/two/SKILL.md', skillText('two'));
    put(root, 'node_modules/three/SKILL.md', skillText('three'));
    put(root, 'a/b/c/d/e/f/too-deep/SKILL.md', skillText('too-deep'));
    put(root, 'SKILL.md', skillText('skills'));
    put(root, 'README.md', '# Skills');
    const found = await discover(at);
    assert.deepEqual(names(found), ['one', 'one-more']);
    assert.deepEqual(codes(found), ['warning misplaced']);
    assert.deepEqual(found.winners.get('one-more')?.files, ['SKILL.md', 'examples/inner/SKILL.md']);
  });

  it('prefers SKILL.md to other spellings, and reads those too', async () => {
    const at = place();
    const root = join(at.repository, '.claude/skills');
    put(root, 'one/skill.md', skillText('one'));
    const found = await discover(at);
    assert.equal(found.winners.get('one')?.file, join(root, 'one/skill.md'));
    assert.deepEqual(codes(found), ['hint file-name']);
  });

  it('reads the manifest, and a skill with a broken one cannot be used', async () => {
    const at = place();
    put(at.bundled, 'good/SKILL.md', skillText('good'));
    put(at.bundled, 'good/manifest.json', '{"entry": "scripts/run.mjs", "permissions": {"commands": ["git"]}}');
    put(at.bundled, 'good/scripts/run.mjs', '');
    put(at.bundled, 'bad/SKILL.md', skillText('bad'));
    put(at.bundled, 'bad/manifest.json', '{');
    const found = await discover(at);
    assert.deepEqual(found.winners.get('good')?.manifest.permissions.commands, ['git']);
    assert.equal(found.winners.get('good')?.manifest.entry, 'scripts/run.mjs');
    assert.equal(found.winners.get('good')?.broken, false);
    assert.equal(found.winners.get('bad')?.broken, true);
    assert.equal(found.diagnostics[0]?.file, join(at.bundled, 'bad/manifest.json'));
  });

  it('tells what it cannot read, and goes on', async function () {
    if (process.getuid?.() === 0) this.skip();
    const at = place();
    const root = join(at.repository, '.claude/skills');
    chmodSync(put(root, 'secret/SKILL.md', skillText('secret')), 0);
    put(root, 'good/SKILL.md', skillText('good'));
    const found = await discover(at);
    assert.deepEqual(names(found), ['good', 'secret']);
    assert.ok(codes(found).includes('error unreadable'));
  });
});

describe('Links among skills', () => {
  removeFoldersAfterwards();

  it('are never followed: not to a folder, a SKILL.md, a file inside, nor out of a root', async () => {
    const at = place();
    const root = join(at.repository, '.claude/skills');
    const outside = temporaryFolder();
    put(outside, 'evil/SKILL.md', skillText('evil'));
    put(outside, 'secret.txt', 'secret');
    put(root, 'good/SKILL.md', skillText('good'));
    symlinkSync(join(outside, 'evil'), join(root, 'evil'));
    mkdirSync(join(root, 'linked'));
    symlinkSync(join(outside, 'evil/SKILL.md'), join(root, 'linked/SKILL.md'));
    symlinkSync(join(outside, 'secret.txt'), join(root, 'good/secret.txt'));
    symlinkSync('..', join(root, 'good/loop'));
    symlinkSync(outside, join(at.home, '.claude'));
    put(outside, 'skills/home-evil/SKILL.md', skillText('home-evil'));
    const found = await discover(at);
    assert.deepEqual(names(found), ['good']);
    assert.deepEqual(found.winners.get('good')?.files, ['SKILL.md']);
    assert.deepEqual(codes(found).sort(), [
      'hint link-skipped',
      'hint link-skipped',
      'warning link-skipped',
      'warning root-outside',
    ]);
  });

  it('may lead from one root to another; what lies there is read once', async () => {
    const at = place();
    put(at.repository, '.agents/skills/one/SKILL.md', skillText('one'));
    mkdirSync(join(at.repository, '.claude'));
    symlinkSync('../.agents/skills', join(at.repository, '.claude/skills'));
    mkdirSync(join(at.repository, 'tools'));
    put(at.repository, 'tools/skills/two/SKILL.md', skillText('two'));
    symlinkSync('tools', join(at.repository, '.github'));
    const found = await discover(at);
    assert.deepEqual(names(found), ['one', 'two']);
    assert.deepEqual(codes(found), []);
  });

  it('make a skill that runs a script useless: its content could change unseen', async () => {
    const at = place();
    put(at.bundled, 'runs/SKILL.md', skillText('runs'));
    put(at.bundled, 'runs/manifest.json', '{"entry": "run.mjs"}');
    put(at.bundled, 'runs/run.mjs', '');
    symlinkSync('/etc', join(at.bundled, 'runs/lib'));
    const found = await discover(at);
    assert.deepEqual(codes(found), ['error link-inside']);
    assert.equal(found.winners.get('runs')?.broken, true);
  });

  it('cannot be an entry', async () => {
    const at = place();
    put(at.bundled, 'runs/SKILL.md', skillText('runs'));
    put(at.bundled, 'runs/manifest.json', '{"entry": "run.mjs"}');
    symlinkSync('/bin/sh', join(at.bundled, 'runs/run.mjs'));
    assert.ok(codes(await discover(at)).includes('error manifest-entry'));
  });

  it('and pipes do not hold it up', async function () {
    if (process.platform === 'win32') this.skip();
    const at = place();
    put(at.bundled, 'pipe/SKILL.md', skillText('pipe'));
    execFileSync('mkfifo', [join(at.bundled, 'pipe/notes')]);
    mkdirSync(join(at.bundled, 'only-pipe'));
    execFileSync('mkfifo', [join(at.bundled, 'only-pipe/SKILL.md')]);
    const found = await discover(at);
    assert.deepEqual(names(found), ['pipe']);
    assert.deepEqual(found.winners.get('pipe')?.files, ['SKILL.md']);
  });
});

describe('The content hash', () => {
  removeFoldersAfterwards();

  it('is of all paths and all bytes, in a fixed order', async () => {
    const at = place();
    put(at.bundled, 's/SKILL.md', skillText('s'));
    put(at.bundled, 's/b/x.txt', 'x');
    put(at.bundled, 's/a.txt', 'a');
    put(at.bundled, 's/.git/index', 'changes all the time');
    const files = [
      { path: 'b/x.txt', bytes: Buffer.from('x') },
      { path: 'a.txt', bytes: Buffer.from('a') },
      { path: 'SKILL.md', bytes: Buffer.from(skillText('s')) },
    ];
    const hash = contentHash(files);
    assert.equal((await discover(at)).winners.get('s')?.hash, hash);
    assert.equal(contentHash(files.toReversed()), hash);
    assert.notEqual(
      contentHash([{ path: 'a', bytes: Buffer.from('bc') }]),
      contentHash([{ path: 'ab', bytes: Buffer.from('c') }]),
    );
  });

  it('changes with any file, also when size and time are kept', async () => {
    const at = place();
    put(at.bundled, 's/SKILL.md', skillText('s'));
    const script = put(at.bundled, 's/run.sh', 'echo a');
    const day = new Date('2026-01-01');
    utimesSync(script, day, day);
    const first = await discover(at);
    const again = await discover(at, { known: first.all });
    assert.equal(again.winners.get('s'), first.winners.get('s'), 'nothing is read again');
    put(at.bundled, 's/run.sh', 'echo b');
    utimesSync(script, day, day);
    const changed = await discover(at, { known: again.all });
    assert.notEqual(changed.winners.get('s')?.hash, first.winners.get('s')?.hash);
  });

  it('is taken again when a file is so new that the clock of the disk could hide a change', async () => {
    const at = place();
    put(at.bundled, 's/SKILL.md', skillText('s'));
    const first = await discover(at, { clock: { ...systemClock, now: () => Date.now() - 1000 } });
    const again = await discover(at, { known: first.all });
    assert.notEqual(again.winners.get('s'), first.winners.get('s'));
    assert.equal(again.winners.get('s')?.hash, first.winners.get('s')?.hash);
  });

  it('guards a copy: a skill that has changed is not copied', async () => {
    const at = place();
    put(at.bundled, 's/SKILL.md', skillText('s'));
    put(at.bundled, 's/scripts/run.sh', 'echo a');
    const skill = (await discover(at)).winners.get('s');
    assert.ok(skill);
    const target = join(temporaryFolder(), 'copy');
    assert.equal(await copySkill(skill, target, LATER), target);
    const copy = await discoverSkills({
      repository: at.repository,
      home: null,
      bundled: dirname(target),
      clock: LATER,
    });
    assert.equal(copy.winners.get('copy')?.hash, skill.hash);
    put(at.bundled, 's/scripts/run.sh', 'echo b');
    assert.equal(await copySkill(skill, join(temporaryFolder(), 'copy'), LATER), null);
  });
});

describe('Bounds of discovery', () => {
  removeFoldersAfterwards();

  it('refuse a skill with too many files, bytes or levels, and still show it', async () => {
    const at = place();
    for (let n = 0; n < 12; n += 1) put(at.bundled, `files/f${n}`, '');
    put(at.bundled, 'bytes/big', 'x'.repeat(5000));
    put(at.bundled, 'deep/a/b/c/d/e/f', '');
    for (const name of ['files', 'bytes', 'deep']) put(at.bundled, `${name}/SKILL.md`, skillText(name));
    const found = await discover(at, { limits: { files: 10, bytes: 4000, depth: 4 } });
    assert.deepEqual(names(found), ['bytes', 'deep', 'files']);
    assert.deepEqual(
      codes(found),
      Array.from({ length: 3 }, () => 'error folder-too-large'),
    );
    assert.ok(
      [...found.winners.values()].every(({ broken, hash, description }) => broken && hash === '' && description !== ''),
    );
  });

  it('hold for all skills together', async () => {
    const at = place();
    writeManySkills(at.repository, 30);
    const few = await discover(at, { limits: { skills: 20 } });
    assert.equal(few.winners.size, 20);
    assert.deepEqual(
      codes(few).filter((code) => code.includes('too-many')),
      ['warning too-many'],
    );
    const folders = await discover(at, { limits: { folders: 10 } });
    assert.ok(folders.winners.size < 10);
    assert.deepEqual(
      codes(folders).filter((code) => code.includes('too-many')),
      ['warning too-many'],
    );
    const bytes = await discover(at, { limits: { allBytes: 20_000 } });
    assert.ok(
      [...bytes.winners.values()].some(({ broken }) => broken) &&
        [...bytes.winners.values()].some(({ broken }) => !broken),
    );
  });

  it('leave room for many: 1,500 are read, and not read again the second time', async () => {
    const at = place();
    writeManySkills(at.repository, 1500);
    const start = performance.now();
    const first = await discover(at);
    const took = performance.now() - start;
    assert.equal(first.winners.size, 1500);
    assert.ok(took < 5000, `${took} ms`);
    const again = await discover(at, { known: first.all });
    assert.ok([...again.all].every(([folder, record]) => first.all.get(folder) === record));
  });
});
