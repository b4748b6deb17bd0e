import assert from 'node:assert/strict';
import { programsOf, trustedBy, trustId } from '../../../mcp-server/engine/skill-permissions.ts';
import { holdOf, type ScriptHolds } from '../../../mcp-server/skills/execute/hold.ts';
import { NO_MANIFEST } from '../../../mcp-server/skills/manifest.ts';
import { heldLine, mayLines } from '../../../mcp-server/skills/may-lines.ts';

const LINUX: ScriptHolds = { permissionModel: true, sandbox: true };
const MAC: ScriptHolds = { permissionModel: true, sandbox: false };
const OLD_NODE: ScriptHolds = { permissionModel: false, sandbox: true };
const NOTHING: ScriptHolds = { permissionModel: false, sandbox: false };

interface Asked {
  readonly commands?: readonly string[];
  readonly hosts?: readonly string[];
}

const skillOf = (entry: string, asked: Asked, holds: ScriptHolds) => {
  const permissions = { ...NO_MANIFEST.permissions, read: ['docs/**'], ...asked };
  const manifest = { ...NO_MANIFEST, entry, permissions };
  return { kind: 'script', manifest, hold: holdOf(manifest, holds) } as const;
};

describe('What a skill may do once it is trusted', () => {
  const may = (entry: string, asked: Asked, holds: ScriptHolds) => mayLines(skillOf(entry, asked, holds));

  it('is what it declares, where Node holds its script to that', () => {
    for (const holds of [LINUX, MAC]) {
      assert.deepEqual(may('run.mjs', {}, holds), ['run its script run.mjs', 'read docs/**']);
      assert.equal(may('run.mjs', { hosts: ['api.example.org'] }, holds).at(-1), 'talk to api.example.org');
      assert.equal(may('run.mjs', { hosts: ['*'] }, holds).at(-1), 'talk to any host');
    }
  });

  it('is any program besides, but no more, where a sandbox holds it', () => {
    for (const lines of [
      may('run.mjs', { commands: ['git'] }, LINUX),
      may('run.py', {}, LINUX),
      may('run.sh', {}, LINUX),
    ])
      assert.match(lines.at(-1) ?? '', /^start any program of the system, which the sandbox holds/);
  });

  it('is told to be all that the person can do, where nothing holds the script', () => {
    for (const holds of [MAC, NOTHING])
      for (const lines of [
        may('run.mjs', { commands: ['git'] }, holds),
        may('run.py', {}, holds),
        may('run', {}, holds),
      ])
        assert.match(lines.at(-1) ?? '', /all that you can do/);
    assert.match(may('run.mjs', {}, NOTHING).at(-1) ?? '', /all that you can do/);
  });

  it('is any host, where hosts are named that nothing can hold it to', () => {
    const hosts = ['api.example.org'];
    for (const lines of [
      may('run.py', { hosts }, LINUX),
      may('run.mjs', { hosts, commands: ['git'] }, LINUX),
      may('run.mjs', { hosts }, OLD_NODE),
      may('run.py', { hosts }, NOTHING),
    ]) {
      assert.ok(lines.includes('talk to any host: nothing holds it to api.example.org'), lines.join());
      assert.ok(!lines.includes('talk to api.example.org'));
    }
  });

  it('comes with a sentence on what holds it, unless there is no script', () => {
    assert.match(heldLine('node') ?? '', /^Node holds/);
    assert.match(heldLine('sandbox') ?? '', /^A sandbox holds/);
    assert.match(heldLine('nothing') ?? '', /^Nothing on this machine holds.*bubblewrap/);
    assert.equal(heldLine(holdOf(NO_MANIFEST, LINUX)), null);
  });
});

describe('The approval of a skill', () => {
  const hash = 'a'.repeat(64);

  it('is another one where nothing holds the script, so an answer to the one is none to the other', () => {
    const ids = (['node', 'sandbox', 'nothing'] as const).map((hold) => trustId({ name: 'a', hash, hold }));
    assert.equal(ids[0], ids[1]);
    assert.notEqual(ids[1], ids[2]);
    assert.deepEqual(trustedBy(ids[1] ?? ''), { name: 'a', hash, unconfined: false });
    assert.deepEqual(trustedBy(ids[2] ?? ''), { name: 'a', hash, unconfined: true });
    assert.equal(trustedBy('something:else'), null);
  });
});

describe('The programs that an agent needs to be allowed for a skill', () => {
  it('are those that it declares, and what runs it only where nothing holds it', () => {
    assert.deepEqual(programsOf(skillOf('run.py', { commands: ['git'] }, LINUX)), ['git']);
    assert.deepEqual(programsOf(skillOf('run.py', { commands: ['git'] }, MAC)), ['python3', 'git']);
    assert.deepEqual(programsOf(skillOf('run.mjs', {}, MAC)), []);
    assert.deepEqual(programsOf(skillOf('run.mjs', {}, NOTHING)), ['node']);
    assert.deepEqual(programsOf(skillOf('run', {}, NOTHING)), ['./run']);
  });
});
