import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { type LockedSkill, readLock, writeLock } from '../../../mcp-server/skills/imports/lock-file.ts';

const HASH = 'a'.repeat(64);
const skill = (name: string): LockedSkill => ({
  name,
  origin: { kind: 'git', url: 'https://example.com/x.git', ref: null, path: `skills/${name}` },
  pin: 'c'.repeat(40),
  hash: HASH,
  files: { 'SKILL.md': HASH },
  importedAt: '2026-11-20T00:00:00.000Z',
});

describe('the list of imported skills', () => {
  let folder = '';
  let file = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coppice-lock-'));
    file = join(folder, 'inner', 'skills.lock.json');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is empty when there is none, and gives back what was stored, by name', async () => {
    assert.deepEqual(await readLock(file), []);
    const hub: LockedSkill = { ...skill('b'), origin: { kind: 'clawhub', slug: 'o/b', version: '1.0.0' } };
    const tool: LockedSkill = { ...skill('a'), origin: { kind: 'langchain', spec: '@x/y#Z' } };
    await writeLock(file, [hub, skill('c'), tool]);
    assert.deepEqual(await readLock(file), [tool, hub, skill('c')]);
    assert.deepEqual(readdirSync(join(folder, 'inner')), ['skills.lock.json']);
  });

  it('is the same text whatever the order, so that it compares well', async () => {
    await writeLock(file, [skill('a'), skill('b')]);
    const one = readFileSync(file, 'utf8');
    await writeLock(file, [skill('b'), skill('a')]);
    assert.equal(readFileSync(file, 'utf8'), one);
  });

  it('is never written through a link that somebody has put in its way', async () => {
    const elsewhere = join(folder, 'profile');
    writeFileSync(elsewhere, 'mine');
    mkdirSync(join(folder, 'inner'));
    for (const path of [file, `${file}.new`]) symlinkSync(elsewhere, path);
    await writeLock(file, [skill('a')]);
    assert.equal(readFileSync(elsewhere, 'utf8'), 'mine');
    assert.deepEqual(await readLock(file), [skill('a')]);
  });

  it('is kept, and said to be wrong, when it cannot be read', async () => {
    await writeLock(file, []);
    for (const text of [
      '',
      '{',
      '[]',
      '{"version":2,"skills":[]}',
      JSON.stringify({ version: 1, skills: [{ ...skill('a'), name: '../../x' }] }),
      JSON.stringify({ version: 1, skills: [{ ...skill('a'), hash: 'short' }] }),
      JSON.stringify({ version: 1, skills: [skill('a'), skill('a')] }),
    ]) {
      writeFileSync(file, text);
      const isTold = (error: unknown): boolean =>
        error instanceof UserError && error.code === 'wrong-state' && error.message.includes(file);
      await assert.rejects(readLock(file), isTold, text);
      assert.equal(readFileSync(file, 'utf8'), text);
    }
  });
});
