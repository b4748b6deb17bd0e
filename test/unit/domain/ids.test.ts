import assert from 'node:assert/strict';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { newId } from '../../../mcp-server/domain/ids.ts';
import { seededRandom } from '../../support/engine.ts';

const random = seededRandom(4);
const at = (ms: number) => ({ random, clock: { ...systemClock, now: () => ms } });

describe('an id', () => {
  const begin = Date.UTC(2026, 10, 21);

  it('says what it is of, and is safe in the name of a branch and of a file', () => {
    assert.match(newId('agent', at(begin)), /^a-[0-9a-z]{14}$/);
    assert.match(newId('run', at(0)), /^r-0000000[0-9a-z]{7}$/);
  });

  it('sorts after those that were made before it, within a year', () => {
    const day = 86_400_000;
    const times = [0, 1, 2, 31, 32, 33, 1000, 60_000, day, 30 * day, 300 * day];
    const base = Math.ceil(begin / 32 ** 7) * 32 ** 7;
    const ids = times.map((after) => newId('turn', at(base + after)));
    assert.deepEqual(ids.toSorted(), ids);
  });

  it('is never made twice in the same millisecond', () => {
    const makes = at(begin + 0.7);
    assert.equal(new Set(Array.from({ length: 2000 }, () => newId('job', makes))).size, 2000);
  });
});
