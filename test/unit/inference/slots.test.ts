import assert from 'node:assert/strict';
import { SlotPool } from '../../../mcp-server/inference/slots.ts';

const takeAll = (pool: SlotPool): (() => void)[] => {
  const held: (() => void)[] = [];
  for (let permit = pool.tryPermit(); permit !== null; permit = pool.tryPermit()) held.push(permit);
  return held;
};

describe('slot permits', () => {
  it('are one until the server has said how many slots it has', () => {
    const pool = new SlotPool();
    assert.equal(takeAll(pool).length, 1);
    assert.deepEqual(pool.status(), { total: 1, busy: 1 });
  });

  it('are as many as the slots, and wake a listener when more become known', () => {
    const pool = new SlotPool();
    let woken = 0;
    pool.onFree(() => (woken += 1));
    pool.know(4);
    assert.equal(woken, 1);
    assert.equal(takeAll(pool).length, 4);
  });

  it('never exceed the cap of the person', () => {
    const pool = new SlotPool(2);
    pool.know(8);
    assert.equal(takeAll(pool).length, 2);
  });

  it('wake every listener at each release, until it stops listening', () => {
    const pool = new SlotPool();
    const woken: string[] = [];
    const stop = pool.onFree(() => woken.push('a'));
    pool.onFree(() => woken.push('b'));
    pool.tryPermit()?.();
    stop();
    pool.tryPermit()?.();
    assert.deepEqual(woken, ['a', 'b', 'b']);
  });

  it('can be taken from within a listener', () => {
    const pool = new SlotPool();
    const first = pool.tryPermit();
    let second: (() => void) | null = null;
    pool.onFree(() => {
      second ??= pool.tryPermit();
    });
    first?.();
    assert.notEqual(second, null);
    assert.equal(pool.status().busy, 1);
  });

  it('cannot be released twice', () => {
    const permit = new SlotPool().tryPermit();
    permit?.();
    assert.throws(() => permit?.(), /released twice/);
  });

  it('are not granted beyond a number of slots that shrank', () => {
    const pool = new SlotPool();
    pool.know(4);
    const held = takeAll(pool);
    pool.know(2);
    held.pop()?.();
    held.pop()?.();
    assert.equal(pool.tryPermit(), null);
    held.pop()?.();
    assert.notEqual(pool.tryPermit(), null);
  });
});

describe('slot permits of a server whose shared memory ran out', () => {
  const poolOf = (slots: number): SlotPool => {
    const pool = new SlotPool();
    pool.know(slots);
    return pool;
  };

  it('are halved once for all calls that failed together, and never below one', () => {
    const pool = poolOf(8);
    const together = pool.generation;
    for (let n = 0; n < 8; n += 1) pool.exhausted(together);
    assert.equal(pool.status().total, 4);
    for (let n = 0; n < 5; n += 1) pool.exhausted(pool.generation);
    assert.equal(pool.status().total, 1);
  });

  it('grow by one with every eight answers, up to the slots', () => {
    const pool = poolOf(4);
    pool.exhausted(pool.generation);
    assert.equal(pool.status().total, 2);
    for (let n = 0; n < 8; n += 1) pool.answered();
    assert.equal(pool.status().total, 3);
    for (let n = 0; n < 100; n += 1) pool.answered();
    assert.equal(pool.status().total, 4);
  });

  it('stay lowered when the same number of slots is read again', () => {
    const pool = poolOf(4);
    pool.exhausted(pool.generation);
    pool.know(4);
    assert.equal(pool.status().total, 2);
  });
});
