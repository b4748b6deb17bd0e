import { messageOf } from '../domain/errors.ts';
import { LEASE_MS } from '../domain/policy.ts';
import type { Core } from './core.ts';
import { takeBack } from './recover.ts';

/** Two renewals may be late before a lease is over. */
const RENEW_MS = LEASE_MS / 3;

/**
 * Renews the leases of the jobs in flight until the signal aborts, stops work whose claim was lost, and puts jobs back
 * that nobody works on though they are running. Never rejects.
 */
export const keepLeases = async (core: Core, signal: AbortSignal): Promise<void> => {
  const { clock, log } = core.parts;
  for (;;) {
    await clock.sleep(RENEW_MS, signal);
    if (signal.aborted) return;
    try {
      await renew(core);
    } catch (error) {
      log(`leases: ${messageOf(error)}`);
    }
  }
};

const renew = async (core: Core): Promise<void> => {
  const { store, clock, log } = core.parts;
  const taken = await store.transaction(async (tx) => {
    const now = clock.now();
    const work = [...core.inFlight.values()];
    const lost = new Set(
      await tx.renewLeases(
        work.map(({ claim }) => claim),
        now,
      ),
    );
    const stale = (await tx.staleJobs(now)).filter((job) => !core.inFlight.has(job.id));
    await takeBack(core, tx, stale, 'Its lease was over.');
    return { stale, lost };
  });
  for (const { claim, abort } of core.inFlight.values()) if (taken.lost.has(claim.id)) abort.abort();
  for (const job of taken.stale) log(`${job.kind} ${job.id}: nobody worked on it any more; it was put back`);
  if (taken.stale.length > 0) core.wake();
};
