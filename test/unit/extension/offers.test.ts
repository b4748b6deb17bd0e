import assert from 'node:assert/strict';
import { CONTEXT } from '../../../extension/ids.ts';
import { runOffers, skillOffers } from '../../../extension/offers.ts';
import type { SkillRow } from '../../../extension/skills/describe-skill.ts';
import { budgetsHeader, queueHeader, skillsHeader } from '../../../extension/view-headers.ts';
import { jobRow, runRow } from './rows.ts';

const of = (state: string, more: { pinned?: boolean; imported?: object; draft?: object } = {}): SkillRow => {
  const { pinned = false, ...rest } = more;
  return { skill: { state, pinned }, imported: undefined, draft: undefined, ...rest } as unknown as SkillRow;
};
const yes = (offers: Readonly<Record<string, boolean>>): string[] =>
  Object.entries(offers).flatMap(([key, value]) => (value ? [key] : []));

describe('What menus offer', () => {
  it('follows the states of the runs', () => {
    assert.deepEqual(yes(runOffers([])), []);
    assert.deepEqual(yes(runOffers([runRow('r-1')])), [CONTEXT.hasRuns, CONTEXT.hasActive]);
    assert.deepEqual(yes(runOffers([runRow('r-1', { state: 'planned' })])), [
      CONTEXT.hasRuns,
      CONTEXT.hasActive,
      CONTEXT.hasWaitingPlan,
    ]);
    assert.ok(runOffers([runRow('r-1', { paused: true })])[CONTEXT.hasPaused]);
    assert.ok(runOffers([runRow('r-1', { stuck: 'its agents are paused' })])[CONTEXT.hasPaused]);
    assert.deepEqual(yes(runOffers([runRow('r-1', { state: 'partial', review: 'open' })])), [
      CONTEXT.hasRuns,
      CONTEXT.hasReviewable,
      CONTEXT.hasRetryable,
    ]);
    assert.deepEqual(yes(runOffers([runRow('r-1', { state: 'completed', review: 'landed' })])), [CONTEXT.hasRuns]);
  });

  it('follows the states of the skills', () => {
    assert.deepEqual(yes(skillOffers([of('bundled')])), []);
    assert.deepEqual(yes(skillOffers([of('draft', { draft: {} })])), [CONTEXT.hasDrafts]);
    assert.deepEqual(yes(skillOffers([of('needs-review', { imported: {} })])), [
      CONTEXT.hasImports,
      CONTEXT.hasUntrusted,
    ]);
    assert.deepEqual(yes(skillOffers([of('trusted', { pinned: true })])), [CONTEXT.hasTrusted, CONTEXT.hasPinned]);
  });
});

describe('The headers of closed views', () => {
  it('tell the tokens of the runs that go on', () => {
    assert.equal(budgetsHeader([]), '');
    assert.equal(budgetsHeader([runRow('r-1'), runRow('r-2')]), '20 % · 196k/1M');
  });

  it('tell busy slots of the servers that answer, and what waits', () => {
    assert.equal(queueHeader(undefined), '');
    const counts = { person: 0, review: 0, critical: 0, batch: 0 };
    const server = { url: 'http://127.0.0.1:8080', model: 'm', error: null, contextSize: 8192, reachable: true };
    const slots = { busy: 3, total: 4 };
    const servers = [
      { ...server, slots },
      { ...server, slots, reachable: false },
    ];
    const jobs = (['queued', 'queued', 'parked', 'running'] as const).map((state) => jobRow(state, { state }));
    assert.equal(queueHeader({ servers, jobs, counts }), '3/4 slots · 2 waiting · 1 parked');
    assert.equal(queueHeader({ servers, jobs: [], counts }), '3/4 slots');
  });

  it('tell how many skills there are, and what waits for the person', () => {
    assert.equal(skillsHeader(undefined), '');
    assert.equal(skillsHeader([of('bundled'), of('trusted')]), '2');
    assert.equal(
      skillsHeader([of('bundled'), of('draft'), of('draft'), of('needs-review'), of('error')]),
      '3 · 2 drafts · 1 to review · 1 error',
    );
  });
});
