import assert from 'node:assert/strict';
import { INBOX_BOUND } from '../../../../mcp-server/domain/message.ts';
import { A, B, beginTurn, ids, newMessage, seed } from '../fixtures.ts';
import type { Subject } from '../store.contract.ts';

export const messagesContract = ({ store }: Subject): void => {
  beforeEach(() => seed(store()));
  const inbox = async (limit = 1000) => (await store().inbox(A, limit)).map((message) => message.id);

  it('lists by priority, then in order of arrival', async () => {
    await store().transaction(async (tx) => {
      for (const id of [3, 1]) await tx.send(newMessage(id, A));
      await tx.send(newMessage(2, A, { from: 'person', kind: 'steer', priority: 10 }));
      await tx.send(newMessage(4, B));
    });
    assert.deepEqual(await inbox(), ['m-2', 'm-3', 'm-1']);
    assert.deepEqual(await inbox(1), ['m-2']);
    const steer = newMessage(2, A, { from: 'person', kind: 'steer', priority: 10 });
    assert.deepEqual((await store().inbox(A, 1))[0], { ...steer, turn: null });
  });

  it('delivers exactly once, in the order given', async () => {
    await beginTurn(store(), 1, A);
    await store().transaction(async (tx) => {
      for (const id of [1, 2, 3]) await tx.send(newMessage(id, A));
      await tx.deliver(ids.turn(1), [ids.message(3)]);
      await tx.deliver(ids.turn(1), [ids.message(2), ids.message(1)]);
    });
    assert.deepEqual(
      (await store().delivered(A)).map((message) => [message.id, message.turn]),
      [3, 2, 1].map((id) => [ids.message(id), ids.turn(1)]),
    );
    assert.deepEqual(await inbox(), []);
    await assert.rejects(
      store().transaction((tx) => tx.deliver(ids.turn(1), [ids.message(1)])),
      /not in an inbox/,
    );
  });

  it('tells how much room an inbox has', async () => {
    assert.equal(await store().inboxRoom(A), INBOX_BOUND);
    await store().transaction((tx) => tx.send(newMessage(1, A)));
    assert.equal(await store().inboxRoom(A), INBOX_BOUND - 1);
  });

  it('refuses an agent’s note when the inbox is full, and has room for everybody who must get through', async () => {
    await store().transaction(async (tx) => {
      for (let id = 0; id < INBOX_BOUND; id++) assert.equal(await tx.send(newMessage(id, A, { from: B })), true);
      assert.equal(await tx.send(newMessage('x', A, { from: B })), false);
      assert.equal(await tx.send(newMessage('other', B, { from: A })), true);
      assert.equal(await tx.send(newMessage('p', A, { from: 'person' })), true);
      assert.equal(await tx.send(newMessage('e', A, { from: 'engine' })), true);
      assert.equal(await tx.send(newMessage('r', A, { from: B, kind: 'report' })), true);
    });
    assert.equal((await inbox()).length, INBOX_BOUND + 3);
    assert.equal((await inbox()).includes(ids.message('x')), false);
    await beginTurn(store(), 1, A);
    await store().transaction(async (tx) => {
      await tx.deliver(
        ids.turn(1),
        (await tx.inbox(A, 4)).map((message) => message.id),
      );
      assert.equal(await tx.send(newMessage('x', A, { from: B })), true);
    });
  });
};
