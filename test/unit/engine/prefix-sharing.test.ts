import assert from 'node:assert/strict';
import { copiesToShare, type FanOut } from '../../../mcp-server/engine/prefix-sharing.ts';

const fanOut = (more: Partial<FanOut> = {}): number =>
  copiesToShare({ siblings: 8, room: 8, hot: 0, tokens: 2000, ...more });

describe('the decision to share a prefix', () => {
  it('gives each sibling that can start at once a slot that holds it', () => {
    assert.equal(fanOut(), 8);
    assert.equal(fanOut({ siblings: 5 }), 5);
    assert.equal(fanOut({ siblings: 40 }), 8);
    assert.equal(fanOut({ room: 3 }), 3);
  });

  it('leaves fewer than three siblings alone', () => {
    assert.deepEqual(
      [1, 2, 3].map((siblings) => fanOut({ siblings })),
      [0, 0, 3],
    );
  });

  it('leaves a prefix alone that is too short to pay', () => {
    assert.deepEqual(
      [511, 512].map((tokens) => fanOut({ tokens })),
      [0, 8],
    );
  });

  it('leaves it alone where only one can run', () => {
    assert.deepEqual(
      [1, 2].map((room) => fanOut({ room })),
      [0, 2],
    );
  });

  it('leaves it alone when half of the slots hold it already', () => {
    assert.deepEqual(
      [3, 4, 8].map((hot) => fanOut({ hot })),
      [8, 0, 0],
    );
  });
});
