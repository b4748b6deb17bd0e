import assert from 'node:assert/strict';
import type { TurnKind } from '../../../mcp-server/domain/turn.ts';
import { type CacheUse, cacheMiss } from '../../../mcp-server/engine/cache-miss.ts';

const usage = (prompt: number, cached: number) => ({ prompt, cached, completion: 50 });
const before = (prompt: number, kind: TurnKind = 'normal') => ({ kind, usage: usage(prompt, 0) });
const use = (more: Partial<CacheUse> = {}): ReturnType<typeof cacheMiss> =>
  cacheMiss({ earlier: [before(500), before(3000)], kind: 'normal', usage: usage(3200, 0), compacted: false, ...more });

describe('a missed cache', () => {
  it('is noticed when the server has lost what the last turn sent', () => {
    assert.deepEqual(use(), { expected: 3000, cached: 0, reason: 'slot-taken' });
    assert.deepEqual(use({ usage: usage(3200, 1800) }), { expected: 3000, cached: 1800, reason: 'slot-taken' });
  });

  it('is none when most of it was there', () => {
    assert.equal(use({ usage: usage(3200, 3000) }), null);
    assert.equal(use({ usage: usage(3200, 2300) }), null);
  });

  it('is none in the first turn, nor after a turn that was not counted', () => {
    assert.equal(use({ earlier: [] }), null);
    assert.equal(use({ earlier: [before(3000), { kind: 'normal', usage: null }] }), null);
  });

  it('is none when hardly anything could be lost', () => {
    assert.equal(use({ earlier: [before(255)], usage: usage(400, 0) }), null);
    assert.notEqual(use({ earlier: [before(256)], usage: usage(400, 0) }), null);
  });

  it('says that old results were cut', () => {
    assert.equal(use({ compacted: true })?.reason, 'compacted');
    assert.equal(use({ compacted: true, kind: 'wrap-up' })?.reason, 'compacted');
  });

  it('says that a last turn offers other tools', () => {
    assert.equal(use({ kind: 'wrap-up' })?.reason, 'tools-changed');
    assert.equal(use({ kind: 'wrap-up', earlier: [before(3000, 'wrap-up')] })?.reason, 'slot-taken');
  });
});
