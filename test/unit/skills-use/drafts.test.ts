import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { type Drafts, openDrafts } from '../../../mcp-server/skills/drafts/drafts.ts';
import { seededRandom } from '../../support/engine.ts';

const author = (run: string) => ({ run, agent: 'a-1', at: 1 });
const skill = (name: string, instructions = '# Do\n\n1. Do it.\n') => ({
  name,
  description: 'Does it. Use for doing.',
  instructions,
  script: null,
  tests: null,
  read: [],
});

describe('Drafts', () => {
  let stateDir: string;
  let drafts: Drafts;
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'cop-drafts-'));
    drafts = openDrafts({ stateDir, clock: systemClock, random: seededRandom(3) });
  });
  afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

  const refused = (work: Promise<unknown>, words: RegExp) =>
    assert.rejects(work, (error) => error instanceof UserError && words.test(error.message));

  it('are listed with who wrote them, and again after the next start', async () => {
    await drafts.write(skill('b'), author('r-1'));
    await drafts.write(skill('a'), author('r-2'));
    const again = openDrafts({ stateDir, clock: systemClock, random: Math.random });
    assert.deepEqual(
      (await again.list()).map(({ skill: { name, state }, author: by }) => [name, state, by?.run]),
      [
        ['a', 'draft', 'r-2'],
        ['b', 'draft', 'r-1'],
      ],
    );
  });

  it('are written again by the run that wrote them, and by no other', async () => {
    await drafts.write(skill('a'), author('r-1'));
    await drafts.write(skill('a', '# Better\n'), author('r-1'));
    await refused(drafts.write(skill('a', '# Worse\n'), author('r-2')), /somebody else/);
    assert.match(readFileSync(join(stateDir, 'drafts/a/SKILL.md'), 'utf8'), /# Better/);
  });

  it('are approved only with the content that was looked at', async () => {
    await drafts.write(skill('a'), author('r-1'));
    const { hash } = (await drafts.get('a')).skill;
    writeFileSync(join(stateDir, 'drafts/a/more.md'), 'sneaked in');
    await refused(drafts.approve('a', hash), /has changed/);
    assert.equal(existsSync(join(stateDir, 'skills/a')), false);
    const now = (await drafts.get('a')).skill.hash;
    const { folder, replaced } = await drafts.approve('a', now);
    assert.deepEqual([folder, replaced], [join(stateDir, 'skills/a'), null]);
    await refused(drafts.get('a'), /no draft/);
  });

  it('keep what they replace, and put it back when they cannot be placed', async () => {
    mkdirSync(join(stateDir, 'skills/a'), { recursive: true });
    writeFileSync(join(stateDir, 'skills/a/SKILL.md'), 'mine');
    await drafts.write(skill('a'), author('r-1'));
    await refused(drafts.approve('a', '0'.repeat(64)), /has changed/);
    assert.equal(readFileSync(join(stateDir, 'skills/a/SKILL.md'), 'utf8'), 'mine');
    const { replaced } = await drafts.approve('a', (await drafts.get('a')).skill.hash);
    assert.equal(readFileSync(join(replaced ?? '', 'SKILL.md'), 'utf8'), 'mine');
  });

  it('are never written through a link', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'cop-outside-'));
    symlinkSync(outside, join(stateDir, 'drafts'));
    await refused(drafts.write(skill('a'), author('r-1')), /plain folder/);
    assert.equal(existsSync(join(outside, 'a')), false);
    rmSync(outside, { recursive: true });
  });

  it('are bounded in number', async () => {
    for (let n = 0; n < 100; n += 1) mkdirSync(join(stateDir, `drafts/d-${n}`), { recursive: true });
    await refused(drafts.write(skill('a'), author('r-1')), /100 drafts/);
  });
});
