import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../../mcp-server/domain/clock.ts';
import type { SkillRegistry } from '../../../mcp-server/skills/port.ts';
import { openSkills, type SkillsOptions } from '../../../mcp-server/skills/registry.ts';
import { eventually, put, removeFoldersAfterwards, skillText, temporaryFolder } from './places.ts';

const QUICK: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(5, signal) };

/** What this process watches, as Linux counts it; 0 elsewhere. */
const watchedFolders = (): number => {
  if (process.platform !== 'linux') return 0;
  const texts = readdirSync('/proc/self/fdinfo').map((fd) => {
    try {
      return readFileSync(join('/proc/self/fdinfo', fd), 'utf8');
    } catch {
      return '';
    }
  });
  return texts.join('').match(/^inotify /gm)?.length ?? 0;
};

interface Place {
  readonly repository: string;
  readonly home: string;
  readonly bundled: string;
  readonly grants: string;
  open(more?: Partial<SkillsOptions>): Promise<SkillRegistry>;
}

describe('The registry of skills', () => {
  const opened: SkillRegistry[] = [];
  removeFoldersAfterwards();
  afterEach(async () => {
    for (const registry of opened.splice(0)) await registry.close();
  });

  const place = (): Place => {
    const top = temporaryFolder();
    const at = { repository: join(top, 'repository'), home: join(top, 'home'), bundled: join(top, 'bundled') };
    for (const folder of Object.values(at)) mkdirSync(folder);
    const grants = join(top, 'config', 'grants.json');
    const open = async (more: Partial<SkillsOptions> = {}): Promise<SkillRegistry> => {
      const registry = await openSkills({ ...at, grants, clock: QUICK, watch: false, ...more });
      opened.push(registry);
      return registry;
    };
    return { ...at, grants, open };
  };
  const workspace = (at: Place, name: string, text = skillText(name)): string =>
    put(at.repository, `.agents/skills/${name}/SKILL.md`, text);
  const state = (registry: SkillRegistry, name: string) => registry.list().find((skill) => skill.name === name)?.state;
  const hash = (registry: SkillRegistry, name: string) =>
    registry.list().find((skill) => skill.name === name)?.hash ?? '';

  it('asks again for what was granted while something held the script, where nothing does', async () => {
    const at = place();
    workspace(at, 'tool');
    put(at.repository, '.agents/skills/tool/manifest.json', '{"entry":"run.py"}');
    put(at.repository, '.agents/skills/tool/run.py', 'print(1)');
    const withSandbox = await at.open({ holds: { permissionModel: true, sandbox: true } });
    await withSandbox.trust('tool', hash(withSandbox, 'tool'), { unconfined: true });
    const found = (registry: SkillRegistry) => {
      const { state, hold, unconfined } = registry.list().find(({ name }) => name === 'tool') ?? assert.fail();
      return [state, hold, unconfined];
    };
    assert.deepEqual(found(withSandbox), ['trusted', 'sandbox', false], 'what nobody was asked for is not granted');
    const without = await at.open({ holds: { permissionModel: true, sandbox: false } });
    assert.deepEqual(found(without), ['needs-review', 'nothing', false]);
    for (const how of [undefined, { unconfined: false }])
      await assert.rejects(without.trust('tool', hash(without, 'tool'), how), { code: 'permission-denied' });
    await without.trust('tool', hash(without, 'tool'), { unconfined: true });
    assert.deepEqual(found(without), ['trusted', 'nothing', true]);
    assert.deepEqual(found(await at.open({ holds: { permissionModel: true, sandbox: true } })), [
      'trusted',
      'sandbox',
      true,
    ]);
    put(at.repository, '.agents/skills/tool/run.py', 'print(2)');
    assert.deepEqual(found(await at.open()), ['needs-review', 'nothing', false]);
  });

  it('says of each skill whether it may be used', async () => {
    const at = place();
    put(at.bundled, 'of-coppice/SKILL.md', skillText('of-coppice'));
    workspace(at, 'of-repository');
    put(at.home, '.claude/skills/of-home/SKILL.md', skillText('of-home'));
    put(at.repository, '.coppice/drafts/of-agent/SKILL.md', skillText('of-agent'));
    workspace(at, 'broken', '');
    const registry = await at.open();
    assert.deepEqual(
      registry.list().map(({ name, state }) => `${name} ${state}`),
      ['broken error', 'of-agent draft', 'of-coppice bundled', 'of-home needs-review', 'of-repository needs-review'],
    );
    assert.ok(registry.diagnostics().some(({ code, file }) => code === 'empty' && file.endsWith('broken/SKILL.md')));
  });

  it('reads a body when it is asked for, and its files', async () => {
    const at = place();
    workspace(at, 'one', skillText('one', 'Does one.', '# One\n\nDo it.'));
    put(at.repository, '.agents/skills/one/notes/a.md', 'A');
    const registry = await at.open();
    const skill = await registry.read('one');
    assert.equal(skill?.body, '# One\n\nDo it.');
    assert.deepEqual(skill?.files, ['notes/a.md']);
    assert.deepEqual(skill?.frontmatter, { name: 'one', description: 'Does one.' });
    assert.ok(!('body' in (registry.list()[0] ?? {})));
    assert.equal(Buffer.from((await registry.readFile('one', 'notes/a.md')) ?? []).toString(), 'A');
    assert.equal(await registry.read('none'), undefined);
  });

  it('follows no link that has taken the place of a folder since the list was made', async () => {
    const at = place();
    const folder = join(workspace(at, 'one'), '..');
    const registry = await at.open();
    const elsewhere = join(at.home, 'private');
    put(elsewhere, 'SKILL.md', skillText('one'));
    rmSync(folder, { recursive: true });
    symlinkSync(elsewhere, folder);
    assert.equal(await registry.read('one'), undefined);
    assert.equal(await registry.readFile('one', 'SKILL.md'), undefined);
  });

  it('hands out no file but the skill’s own', async () => {
    const at = place();
    const folder = join(workspace(at, 'one'), '..');
    put(at.repository, 'secret', 's');
    symlinkSync(join(at.repository, 'secret'), join(folder, 'link'));
    put(folder, '.git/config', 'g');
    const registry = await at.open();
    for (const path of [
      '../../../secret',
      'link',
      '/etc/passwd',
      '.git/config',
      '',
      '.',
      'SKILL.md/..',
      'SKILL.md\0',
      './SKILL.md',
    ])
      assert.equal(await registry.readFile('one', path), undefined, path);
    assert.ok(await registry.readFile('one', 'SKILL.md'));
  });

  it('trusts a skill for its content only: a change asks again', async () => {
    const at = place();
    workspace(at, 'one');
    const registry = await at.open();
    await registry.trust('one', hash(registry, 'one'));
    assert.equal(state(registry, 'one'), 'trusted');
    assert.equal(state(await at.open(), 'one'), 'trusted');
    put(at.repository, '.agents/skills/one/extra.sh', 'rm -rf /');
    assert.equal((await registry.read('one'))?.state, 'needs-review', 'also before the change was noticed');
    await registry.reload();
    assert.equal(state(registry, 'one'), 'needs-review');
    rmSync(join(at.repository, '.agents/skills/one/extra.sh'));
    await registry.reload();
    assert.equal(state(registry, 'one'), 'trusted', 'the content that was trusted');
    await registry.distrust('one');
    assert.equal(state(registry, 'one'), 'needs-review');
  });

  it('trusts nothing that the person did not look at', async () => {
    const at = place();
    const file = workspace(at, 'one');
    put(at.repository, '.coppice/drafts/draft/SKILL.md', skillText('draft'));
    workspace(at, 'broken', '');
    const registry = await at.open();
    const seen = hash(registry, 'one');
    writeFileSync(file, skillText('one', 'Evil.'));
    await assert.rejects(registry.trust('one', seen), { code: 'wrong-state', message: /has changed/ });
    await assert.rejects(registry.trust('none', seen), { code: 'not-found' });
    await assert.rejects(registry.trust('draft', hash(registry, 'draft')), { code: 'wrong-state', message: /draft/ });
    await assert.rejects(registry.trust('broken', hash(registry, 'broken')), {
      code: 'wrong-state',
      message: /errors/,
    });
    assert.ok(registry.list().every(({ state }) => state !== 'trusted'));
  });

  it('hands out no file of a content that was not listed', async () => {
    const at = place();
    workspace(at, 'one');
    const notes = put(at.repository, '.agents/skills/one/notes.md', 'good');
    const registry = await at.open();
    writeFileSync(notes, 'evil');
    assert.equal(await registry.readFile('one', 'notes.md'), undefined);
    await eventually(() => hash(registry, 'one') !== '' && registry.list().length === 1, 'listed');
    await registry.reload();
    assert.equal(Buffer.from((await registry.readFile('one', 'notes.md')) ?? []).toString(), 'evil');
  });

  it('takes no grants from the repository', async () => {
    const at = place();
    for (const grants of [join(at.repository, 'grants.json'), join(at.repository, '.coppice/deep/grants.json')])
      await assert.rejects(at.open({ grants }), { code: 'bad-input' });
    symlinkSync(at.repository, join(at.home, 'link'));
    await assert.rejects(at.open({ grants: join(at.home, 'link/new/grants.json') }), { code: 'bad-input' });
  });

  it('tells of a damaged file of grants among the diagnostics', async () => {
    const at = place();
    put(at.grants, '../grants.json', '{{{');
    const registry = await at.open();
    assert.deepEqual(
      registry.diagnostics().map(({ code }) => code),
      ['grants-corrupt'],
    );
  });

  it('pins by name, and lets prompts carry only what may be used', async () => {
    const at = place();
    put(at.bundled, 'b/SKILL.md', skillText('b'));
    workspace(at, 'w');
    const registry = await at.open();
    await registry.pin('b', true);
    await registry.pin('w', true);
    assert.deepEqual(
      registry.list().map(({ pinned }) => pinned),
      [true, true],
    );
    assert.deepEqual(
      registry.pinned().map(({ name }) => name),
      ['b'],
    );
    await registry.trust('w', hash(registry, 'w'));
    assert.deepEqual(
      registry.pinned().map(({ name }) => name),
      ['b', 'w'],
    );
    await assert.rejects(registry.pin('none', true), { code: 'not-found' });
    await registry.pin('none', false);
  });

  it('counts uses, and tells listeners of every change and whether it is more than a use', async () => {
    const at = place();
    put(at.bundled, 'b/SKILL.md', skillText('b'));
    const registry = await at.open();
    const heard: string[] = [];
    const stop = registry.onChange((change) => void heard.push(change));
    await registry.noteUse('b');
    assert.deepEqual([registry.list()[0]?.uses, heard], [1, ['uses']]);
    await registry.reload();
    assert.deepEqual(heard, ['uses'], 'nothing has changed');
    await registry.noteUse('none');
    await registry.pin('b', true);
    assert.deepEqual(heard, ['uses', 'skills']);
    stop();
    await registry.noteUse('b');
    assert.deepEqual([registry.list()[0]?.uses, heard.length], [2, 2]);
    assert.equal(JSON.parse(readFileSync(at.grants, 'utf8')).repositories[at.repository].uses.b, 2);
  });

  it('searches what may be read, and follows changes', async () => {
    const at = place();
    put(at.bundled, 'bug-hunt/SKILL.md', skillText('bug-hunt', 'Finds the cause of a crash.'));
    put(at.repository, '.coppice/drafts/bug-draft/SKILL.md', skillText('bug-draft', 'Bugs.'));
    workspace(at, 'bug-broken', '---\nname: bug-broken\ndescription: Bugs.\n---\n\0');
    const registry = await at.open();
    assert.deepEqual(
      (await registry.search('bugs', 10)).map(({ skill }) => skill.name),
      ['bug-hunt'],
    );
    workspace(at, 'bug-list', skillText('bug-list', 'Lists every bug, bug by bug.'));
    await registry.reload();
    const hits = await registry.search('bugs', 10);
    assert.deepEqual(hits.map(({ skill }) => skill.name).sort(), ['bug-hunt', 'bug-list']);
    assert.equal((await registry.search('bugs', 1)).length, 1);
    await registry.trust('bug-list', hash(registry, 'bug-list'));
    assert.equal((await registry.search('bug-list', 1))[0]?.skill.state, 'trusted');
  });

  describe('while files change', () => {
    const watching = { watch: true } as const;

    it('notices a new skill, an edit, a removal and a rename', async () => {
      const at = place();
      const file = workspace(at, 'one');
      const registry = await at.open(watching);
      workspace(at, 'two');
      await eventually(() => state(registry, 'two') !== undefined, 'a new skill');
      writeFileSync(file, skillText('one', 'Now it is another one.'));
      await eventually(() => registry.list()[0]?.description === 'Now it is another one.', 'an edit');
      const root = join(at.repository, '.agents/skills');
      renameSync(join(root, 'two'), join(root, 'three'));
      await eventually(
        () => state(registry, 'three') !== undefined && state(registry, 'two') === undefined,
        'a rename',
      );
      put(root, 'three/SKILL.md', skillText('three', 'Written after the rename.'));
      await eventually(
        () => registry.list().some(({ description }) => description.includes('after')),
        'an edit after a rename',
      );
      rmSync(join(root, 'one'), { recursive: true });
      await eventually(() => state(registry, 'one') === undefined, 'a removal');
    });

    it('notices edits in folders that were replaced in one go', async () => {
      const at = place();
      workspace(at, 'one');
      const registry = await at.open(watching);
      for (const round of [1, 2, 3]) {
        rmSync(join(at.repository, '.agents'), { recursive: true });
        const file = workspace(at, 'one', skillText('one', `Replaced ${round}.`));
        await eventually(() => registry.list()[0]?.description === `Replaced ${round}.`, `replaced, round ${round}`);
        await registry.reload();
        writeFileSync(file, skillText('one', `Edited ${round}.`));
        await eventually(() => registry.list()[0]?.description === `Edited ${round}.`, `edited, round ${round}`);
      }
    });

    it('notices roots that appear later, go away and come again', async () => {
      const at = place();
      const registry = await at.open(watching);
      for (const round of [1, 2]) {
        put(at.repository, '.claude/skills/one/SKILL.md', skillText('one', `Round ${round}.`));
        put(at.home, '.agents/skills/two/SKILL.md', skillText('two'));
        put(at.repository, '.coppice/drafts/three/SKILL.md', skillText('three'));
        await eventually(() => registry.list().length === 3, `roots, round ${round}`);
        put(at.repository, '.claude/skills/one/SKILL.md', skillText('one', `Edited ${round}.`));
        await eventually(() => registry.list()[0]?.description === `Edited ${round}.`, `an edit, round ${round}`);
        for (const root of [join(at.repository, '.claude'), join(at.home, '.agents'), join(at.repository, '.coppice')])
          rmSync(root, { recursive: true });
        await eventually(() => registry.list().length === 0, `no roots, round ${round}`);
      }
    });

    it('notices changes of files beside SKILL.md, deep down', async () => {
      const at = place();
      workspace(at, 'one');
      const registry = await at.open(watching);
      const before = hash(registry, 'one');
      put(at.repository, '.agents/skills/one/a/b/c.txt', 'c');
      await eventually(() => hash(registry, 'one') !== before, 'a file in new folders');
      const then = hash(registry, 'one');
      put(at.repository, '.agents/skills/one/a/b/c.txt', 'd');
      await eventually(() => hash(registry, 'one') !== then, 'an edit of it');
    });

    it('tells of errors instead of failing', async () => {
      const at = place();
      const file = workspace(at, 'one');
      const registry = await at.open(watching);
      writeFileSync(file, '\0');
      await eventually(() => state(registry, 'one') === 'error', 'an error');
      assert.ok(registry.diagnostics().some(({ code }) => code === 'not-text'));
      writeFileSync(file, skillText('one'));
      await eventually(() => state(registry, 'one') === 'needs-review', 'repaired');
      assert.deepEqual(registry.diagnostics(), []);
    });

    it('says when not all folders can be watched', async () => {
      const at = place();
      for (const name of ['a', 'b', 'c']) workspace(at, name);
      const registry = await at.open({ ...watching, mostWatched: 4 });
      assert.equal(registry.list().length, 3);
      if (process.platform === 'linux')
        assert.deepEqual(
          registry.diagnostics().map(({ code }) => code),
          ['watch-limited'],
        );
    });

    it('leaves nothing behind when it is closed, not even while it reads', async () => {
      const at = place();
      for (let n = 0; n < 30; n += 1) workspace(at, `skill-${n}`);
      const before = watchedFolders();
      const registry = await at.open(watching);
      let heard = 0;
      registry.onChange(() => void (heard += 1));
      workspace(at, 'late');
      if (process.platform === 'linux') assert.ok(watchedFolders() > before + 30);
      const reading = registry.reload();
      await registry.close();
      await reading;
      workspace(at, 'later');
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(heard, 0);
      assert.equal(watchedFolders(), before);
    });

    it('reads once for many events', async () => {
      const at = place();
      let reads = 0;
      const clock: Clock = {
        ...QUICK,
        sleep: async (_ms, signal) => {
          reads += 1;
          await systemClock.sleep(100, signal);
        },
      };
      mkdirSync(join(at.repository, '.agents/skills'), { recursive: true });
      const registry = await at.open({ ...watching, clock });
      for (let n = 0; n < 50; n += 1) workspace(at, `skill-${n}`);
      await eventually(() => registry.list().length === 50, 'all of them');
      assert.ok(reads <= 4, `${reads} reads`);
    });
  });
});
