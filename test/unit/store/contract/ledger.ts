import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { checkInvariants } from '../../../../mcp-server/store/invariants.ts';
import type { Tx } from '../../../../mcp-server/store/port.ts';
import { A, B, ids, newAgent, newRun, R, seed } from '../fixtures.ts';
import type { Subject } from '../store.contract.ts';

export const ledgerContract = ({ store }: Subject): void => {
  const T = ids.turn(1);
  const balance = async (id: Parameters<Tx['account']>[0]) => {
    const account = await store().account(id);
    return account && [account.available, account.reserved, account.used, account.granted];
  };
  const rows = async () =>
    (await store().ledger(R)).slice(3).map(({ kind, from, to, amount, turn }) => [kind, from, to, amount, turn]);

  describe('of one run', () => {
    beforeEach(() => seed(store()));
    afterEach(async () => assert.deepEqual(await checkInvariants(store(), R), []));

    it('opens an account with its first grant and adds to it', async () => {
      assert.deepEqual(await balance(A), [300, 0, 0, 300]);
      assert.deepEqual(await balance(R), [400, 0, 0, 1000]);
      assert.equal(await store().transaction((tx) => tx.grant(A, B, 100, 5)), true);
      assert.deepEqual(await balance(A), [200, 0, 0, 300]);
      assert.deepEqual(await balance(B), [400, 0, 0, 400]);
      assert.deepEqual(await rows(), [['grant', 'a-1:available', 'a-2:available', 100, null]]);
      assert.deepEqual(
        (await store().accounts(R)).map((account) => account.id),
        [R, A, B],
      );
    });

    it('refuses a grant and a reservation beyond what is available, and changes nothing', async () => {
      await store().transaction(async (tx) => {
        assert.equal(await tx.grant(A, B, 301, 5), false);
        assert.equal(await tx.reserve(A, T, 301, 5), false);
        assert.equal(await tx.grant(ids.agent(9), B, 1, 5), false);
        assert.equal(await tx.reserve(ids.agent(9), T, 1, 5), false);
      });
      assert.deepEqual(await balance(A), [300, 0, 0, 300]);
      assert.deepEqual(await rows(), []);
    });

    it('refuses what is no number of tokens', async () => {
      for (const tokens of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        await assert.rejects(
          store().transaction((tx) => tx.grant(R, A, tokens, 5)),
          RangeError,
        );
        await assert.rejects(
          store().transaction((tx) => tx.reserve(A, T, tokens, 5)),
          RangeError,
        );
      }
    });

    it('charges what was used and releases the rest', async () => {
      await store().transaction(async (tx) => {
        assert.equal(await tx.reserve(A, T, 200, 5), true);
        assert.deepEqual((await tx.account(A))?.reserved, 200);
        assert.deepEqual(await tx.settle(A, T, 50, 6), { over: 0 });
      });
      assert.deepEqual(await balance(A), [250, 0, 50, 300]);
      assert.deepEqual(await rows(), [
        ['reserve', 'a-1:available', 'a-1:reserved', 200, T],
        ['settle', 'a-1:reserved', 'a-1:used', 50, T],
        ['release', 'a-1:reserved', 'a-1:available', 150, T],
      ]);
    });

    it('takes what exceeds the reservation from what is available, and tells the rest', async () => {
      await store().transaction(async (tx) => {
        await tx.reserve(A, T, 200, 5);
        await tx.reserve(A, ids.turn(2), 40, 5);
        assert.deepEqual(await tx.settle(A, T, 250, 6), { over: 0 });
        assert.deepEqual(await tx.settle(A, ids.turn(2), 60, 6), { over: 10 });
      });
      assert.deepEqual(await balance(A), [0, 0, 300, 300]);
    });

    it('ends only the reservation of the turn', async () => {
      await store().transaction(async (tx) => {
        await tx.reserve(A, T, 100, 5);
        await tx.reserve(A, ids.turn(2), 100, 5);
        await tx.settle(A, T, 0, 6);
      });
      assert.deepEqual(await balance(A), [200, 100, 0, 300]);
    });

    it('never charges a turn twice, nor without a reservation', async () => {
      await store().transaction(async (tx) => {
        await tx.reserve(A, T, 100, 5);
        await tx.settle(A, T, 100, 6);
      });
      await assert.rejects(
        store().transaction((tx) => tx.settle(A, T, 100, 6)),
        /settled before/,
      );
      await assert.rejects(
        store().transaction((tx) => tx.settle(B, T, 1, 6)),
        /no reservation/,
      );
      await assert.rejects(
        store().transaction((tx) => tx.settle(A, ids.turn(2), 1, 6)),
        /no reservation/,
      );
      assert.deepEqual(await balance(A), [200, 0, 100, 300]);
    });

    it('gives back all that is available, once nothing is reserved', async () => {
      await store().transaction((tx) => tx.reserve(A, T, 100, 5));
      await assert.rejects(
        store().transaction((tx) => tx.reclaim(A, R, 6)),
        /still holds a reservation/,
      );
      const back = await store().transaction(async (tx) => {
        await tx.settle(A, T, 30, 6);
        return tx.reclaim(A, R, 6);
      });
      assert.equal(back, 270);
      assert.deepEqual(await balance(A), [0, 0, 30, 30]);
      assert.deepEqual(await balance(R), [670, 0, 0, 1000]);
      assert.equal(await store().transaction((tx) => tx.reclaim(A, R, 7)), 0);
      assert.equal(await store().transaction((tx) => tx.reclaim(ids.agent(9), R, 7)), 0);
    });

    it('may give back to another than who granted, and that one to the next', async () => {
      await store().transaction(async (tx) => {
        await tx.reclaim(A, B, 6);
        assert.deepEqual((await tx.account(B))?.available, 600);
        await tx.reclaim(B, R, 6);
      });
      assert.deepEqual(await balance(B), [0, 0, 0, 0]);
      assert.deepEqual(await balance(R), [1000, 0, 0, 1000]);
    });
  });

  it('keeps the sum and every balance through any sequence of movements', async () => {
    const who = fc.integer({ min: 0, max: 3 });
    const tokens = fc.integer({ min: 0, max: 400 });
    const step = fc.oneof(
      fc.record({ verb: fc.constant('grant' as const), from: who, to: who, tokens }),
      fc.record({ verb: fc.constant('reserve' as const), from: who, to: who, tokens }),
      fc.record({ verb: fc.constant('settle' as const), from: who, to: who, tokens }),
      fc.record({ verb: fc.constant('reclaim' as const), from: who, to: who, tokens }),
    );
    let round = 0;
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (moves) => {
      const run = ids.run(`p${round++}`);
      const agents = [1, 2, 3].map((n) => ids.agent(`${run}-${n}`));
      await store().transaction(async (tx) => {
        await tx.insertRun(newRun(run));
        await tx.insertAgents(agents.map((id) => newAgent(id, { run })));
        for (const id of agents) await tx.grant(run, id, 200, 1);
      });
      const open = new Map<string, { account: (typeof agents)[number]; turn: ReturnType<typeof ids.turn> }>();
      for (const [place, move] of moves.entries())
        await store()
          .transaction(async (tx) => {
            const to = agents[move.to] ?? agents[0]!;
            const from = agents[move.from] ?? run;
            const turn = ids.turn(`${run}-${place}`);
            if (move.verb === 'grant') await tx.grant(from, to, move.tokens, place);
            else if (move.verb === 'reclaim') await tx.reclaim(to, from === to ? run : from, place);
            else if (move.verb === 'reserve') {
              if (await tx.reserve(to, turn, move.tokens, place)) open.set(turn, { account: to, turn });
            } else
              for (const [key, held] of [...open].slice(0, 1)) {
                await tx.settle(held.account, held.turn, move.tokens, place);
                open.delete(key);
              }
          })
          .catch((error: Error) => assert.match(error.message, /still holds a reservation/));
      assert.deepEqual(await checkInvariants(store(), run), []);
    });
    await fc.assert(property, { numRuns: 40, seed: 20261120 });
  });
};
