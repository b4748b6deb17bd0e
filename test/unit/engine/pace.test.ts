import assert from 'node:assert/strict';
import { nextTurn, Pace } from '../../../mcp-server/engine/pace.ts';

describe('the pace of answers', () => {
  const passed: number[] = [];
  const ask = (pace: Pace, who: number): void => void pace.pass().then(() => passed.push(who));
  beforeEach(() => passed.splice(0));

  it('lets a few pass in each turn of the event loop, in their order', async () => {
    const pace = new Pace(() => 2);
    for (const who of [1, 2, 3, 4, 5]) ask(pace, who);
    await Promise.resolve();
    assert.deepEqual(passed, [1, 2]);
    await nextTurn();
    assert.deepEqual(passed, [1, 2, 3, 4]);
    await nextTurn();
    assert.deepEqual(passed, [1, 2, 3, 4, 5]);
  });

  it('may let more pass from one turn to the next', async () => {
    let least = 1;
    const pace = new Pace(() => least);
    for (let who = 1; who <= 6; who += 1) ask(pace, who);
    await Promise.resolve();
    assert.deepEqual(passed, [1]);
    least = 3;
    await nextTurn();
    assert.deepEqual(passed, [1, 2, 3, 4]);
  });

  it('lets more pass the more there are, so that a slow disk cannot fall behind', async () => {
    const pace = new Pace(() => 2);
    for (let who = 1; who <= 22; who += 1) ask(pace, who);
    await nextTurn();
    assert.equal(passed.length, 2 + 5);
    await nextTurn();
    assert.equal(passed.length, 2 + 5 + 4);
  });

  it('keeps nobody waiting who comes alone', async () => {
    const pace = new Pace(() => 1);
    for (const who of [1, 2, 3]) {
      ask(pace, who);
      await Promise.resolve();
      assert.equal(passed.at(-1), who);
      await nextTurn();
      await nextTurn();
    }
  });
});
