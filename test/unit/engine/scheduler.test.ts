import assert from 'node:assert/strict';
import type { Job } from '../../../mcp-server/domain/job.ts';
import type { Core } from '../../../mcp-server/engine/core.ts';
import { nextTurn } from '../../../mcp-server/engine/pace.ts';
import { Scheduler } from '../../../mcp-server/engine/scheduler.ts';
import { SlotPool } from '../../../mcp-server/inference/slots.ts';

const never = new Promise<never>(() => {});
/** All that goes on here takes a few turns of the event loop. */
const soon = async (turns = 30): Promise<void> => {
  for (let turn = 0; turn < turns; turn += 1) await nextTurn();
};

/** A scheduler over a store that only holds a queue, with a COMMIT that takes two turns of the event loop; no clock ticks. */
const openPool = (slots: number) => {
  const pool = new SlotPool();
  pool.know(slots);
  const queued: Pick<Job, 'id' | 'kind'>[] = [];
  const claimed: string[] = [];
  /** Called in turn at each COMMIT. */
  const atCommit: (() => void)[] = [];
  let endDesk: (() => void) | undefined;
  const begun: string[] = [];
  const desk = new Promise<never>((_, reject) => {
    endDesk = () => reject(new Error('It is over.'));
  });
  desk.catch(() => undefined);
  const run = { id: 'r', options: { server: 's', model: null, concurrency: 9 } };
  const tx = {
    claim: async ({ kinds }: { kinds: readonly string[] }) => {
      const at = queued.findIndex(({ kind }) => kinds.includes(kind));
      const [job] = at < 0 ? [] : queued.splice(at, 1);
      if (job) claimed.push(job.id);
      return job && { ...job, run: 'r', agent: job.id, prefix: 'p', attempts: 1 };
    },
    agent: async (id: string) => ({ id, startedAt: 1, tier: 'worker', state: 'ready' }),
    run: async () => run,
    moveAgent: async () => 'ready',
    emit: async () => undefined,
    queuedBeginners: async () => 0,
    assertHeld: async () => undefined,
    job: async () => undefined,
  };
  const store = {
    onEvents: () => () => undefined,
    activeRuns: async () => [{ ...run, state: 'running' }],
    queuedServers: async () => [],
    transaction: async (work: (given: object) => Promise<unknown>) => {
      const result = await work(tx);
      await soon(2);
      atCommit.shift()?.();
      return result;
    },
    anyQueued: async (kinds: readonly string[]) => queued.some(({ kind }) => kinds.includes(kind)),
    agent: () => never,
    // The jobs of the desk begin with it.
    run: (id: string) => {
      begun.push(id);
      return desk;
    },
  };
  const endpoint = {
    facts: async () => ({}),
    knownFacts: () => null,
    tryPermit: () => pool.tryPermit(),
    slots: () => pool.status(),
    onFree: (listener: () => void) => pool.onFree(listener),
  };
  const parts = {
    store,
    clock: { now: () => 0, sleep: () => never },
    log: () => undefined,
    endpoint: async () => endpoint,
    repository: {},
  };
  const core = { parts, inFlight: new Set(), aborting: new Set(), leases: { forget: () => undefined } };
  const scheduler = new Scheduler(core as unknown as Core);
  const enqueue = (id: string, kind: Job['kind'] = 'turn'): void => void queued.push({ id: id as Job['id'], kind });
  return { scheduler, pool, claimed, begun, atCommit, enqueue, endDesk: () => endDesk?.() };
};

describe('The pool of turns', () => {
  it('makes use of a slot that becomes free while others are claimed', async () => {
    const { scheduler, pool, claimed, atCommit, enqueue } = openPool(2);
    scheduler.wake();
    await soon();
    const release = pool.tryPermit();
    atCommit.push(
      // It has found nothing; in the same COMMIT there are two turns.
      () => {
        enqueue('one');
        enqueue('two');
        scheduler.wake();
      },
      // One of them has taken the second slot; the first becomes free.
      () => release?.(),
    );
    scheduler.wake();
    await soon();
    assert.deepEqual(claimed, ['one', 'two']);
  });

  it('makes use of one that becomes free after a job of the desk has left a turn', async () => {
    const { scheduler, pool, claimed, enqueue, endDesk } = openPool(1);
    scheduler.wake();
    await soon();
    enqueue('merge', 'merge');
    scheduler.wake();
    await soon();
    scheduler.wake();
    await soon();
    const release = pool.tryPermit();
    enqueue('one');
    endDesk();
    await soon();
    assert.deepEqual(claimed, ['merge']);
    release?.();
    await soon();
    assert.deepEqual(claimed, ['merge', 'one']);
  });

  it('looks no further for a free slot when all that was queued has been claimed', async () => {
    const { scheduler, pool, claimed, atCommit, enqueue } = openPool(4);
    scheduler.wake();
    await soon();
    enqueue('one');
    scheduler.wake();
    await soon();
    let commits = 0;
    atCommit.push(...Array.from({ length: 9 }, () => () => void (commits += 1)));
    pool.tryPermit()?.();
    await soon();
    assert.deepEqual([claimed, commits], [['one'], 0]);
    enqueue('two');
    scheduler.wake();
    assert.equal(scheduler.busy, true);
    await soon();
    assert.deepEqual(claimed, ['one', 'two']);
  });

  it('does not look at the queue for each free slot while nothing is in it', async () => {
    const { scheduler, pool, atCommit } = openPool(2);
    scheduler.wake();
    await soon();
    let commits = 0;
    atCommit.push(...Array.from({ length: 9 }, () => () => void (commits += 1)));
    for (let n = 0; n < 5; n += 1) pool.tryPermit()?.();
    await soon();
    assert.equal(commits, 0);
  });

  it('begins no job of the desk that was claimed while the engine stops', async () => {
    const { scheduler, claimed, begun, atCommit, enqueue } = openPool(1);
    scheduler.wake();
    await soon();
    enqueue('merge', 'merge');
    atCommit.push(() => void scheduler.stop());
    scheduler.wake();
    await soon();
    assert.deepEqual([claimed, begun], [['merge'], []]);
  });
});
