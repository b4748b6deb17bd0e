import assert from 'node:assert/strict';
import { FencedError } from '../../../../mcp-server/domain/errors.ts';
import type { Tx } from '../../../../mcp-server/store/port.ts';
import { A, newAgent, newRun, R, seed } from '../fixtures.ts';
import type { Subject } from '../store.contract.ts';

export const transactionsContract = ({ store, again }: Subject): void => {
  it('returns what the work returns', async () => {
    assert.equal(await store().transaction(async () => 42), 42);
  });

  it('rolls everything back when the work throws, and goes on', async () => {
    const failing = store().transaction(async (tx) => {
      await tx.insertRun(newRun(R));
      await tx.emit(1, [{ type: 'run.discarded', run: R, agent: null }]);
      throw new Error('no');
    });
    await assert.rejects(failing, /^Error: no$/);
    assert.equal(await store().run(R), undefined);
    assert.deepEqual(await store().accounts(R), []);
    assert.equal(await store().lastEvent(), 0);
    await seed(store());
    assert.equal((await store().accounts(R)).length, 3);
  });

  it('lets only the transaction see what it wrote, until the commit', async () => {
    await store().transaction(async (tx) => {
      await tx.insertRun(newRun(R));
      assert.equal((await tx.run(R))?.id, R);
      assert.equal(await store().run(R), undefined);
    });
    assert.equal((await store().run(R))?.id, R);
  });

  it('shows nobody else what an earlier transaction wrote, until it is committed too', async () => {
    await seed(store());
    const action = async (): Promise<string | undefined> => (await store().agent(A))?.action;
    const first = store().transaction(async (tx) => {
      assert.equal((await tx.agent(A))?.action, '');
      await tx.patchAgent(A, { action: 'reads' });
    });
    const second = store().transaction(async (tx) => {
      assert.equal((await tx.agent(A))?.action, 'reads');
      assert.equal(await action(), '');
    });
    await Promise.all([first, second]);
    assert.equal(await action(), 'reads');
  });

  it('forgets what a transaction made of agents and runs that was undone', async () => {
    await seed(store());
    const look = (): Promise<unknown> =>
      store().transaction(async (tx) => [(await tx.agent(A))?.action, (await tx.run(R))?.error]);
    await store().transaction((tx) => tx.patchAgent(A, { action: 'reads' }));
    const undone = store().transaction(async (tx) => {
      await tx.patchAgent(A, { action: 'writes' });
      await tx.patchRun(R, { error: 'wrong' });
      assert.equal((await tx.run(R))?.error, 'wrong');
      throw new Error('no');
    });
    await assert.rejects(undone, /^Error: no$/);
    assert.deepEqual(await look(), ['reads', null]);
    await store().transaction(async (tx) => {
      await tx.patchRun(R, { error: 'right' });
      assert.equal((await tx.run(R))?.error, 'right');
    });
    assert.deepEqual(await look(), ['reads', 'right']);
    assert.equal((await store().run(R))?.error, 'right');
  });

  it('runs one after another in the order of the calls, also after one that failed', async () => {
    const order: string[] = [];
    const work = (name: string, fails = false) =>
      store()
        .transaction(async (tx) => {
          order.push(`${name} begins`);
          await tx.lastEvent();
          await tx.lastEvent();
          order.push(`${name} ends`);
          if (fails) throw new Error(name);
        })
        .catch(() => order.push(`${name} failed`));
    await Promise.all([work('1'), work('2', true), work('3')]);
    assert.deepEqual(
      order.filter((line) => !line.includes('failed')),
      ['1 begins', '1 ends', '2 begins', '2 ends', '3 begins', '3 ends'],
    );
  });

  it('refuses a transaction that is used after its end', async () => {
    let kept: Tx | undefined;
    await store().transaction(async (tx) => {
      kept = tx;
    });
    await assert.rejects(async () => kept?.insertRun(newRun(R)), /transaction is over/);
    await assert.rejects(async () => kept?.run(R), /transaction is over/);
  });

  it('refuses a reference to nothing', async () => {
    await seed(store());
    const orphan = newAgent('a-9' as typeof A, { parent: 'a-none' as typeof A });
    await assert.rejects(store().transaction((tx) => tx.insertAgents([orphan])));
    assert.equal(await store().agent(orphan.id), undefined);
  });

  it('gives each engine a newer epoch and fences the older one', async () => {
    await seed(store());
    const newer = await again();
    assert.equal(newer.epoch, store().epoch + 1);
    await assert.rejects(
      store().transaction((tx) => tx.patchAgent(A, { action: 'late' })),
      FencedError,
    );
    assert.equal((await newer.agent(A))?.action, '');
    await newer.transaction((tx) => tx.patchAgent(A, { action: 'new' }));
    assert.equal((await newer.agent(A))?.action, 'new');
  });

  it('closes twice, after what was asked for, and then refuses', async () => {
    await seed(store());
    const last = store().transaction((tx) => tx.patchAgent(A, { action: 'last' }));
    await Promise.all([store().close(), store().close()]);
    await last;
    await assert.rejects(
      store().transaction(async () => 1),
      /closed/,
    );
    assert.equal((await (await again()).agent(A))?.action, 'last');
  });
};
