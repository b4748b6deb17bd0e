import { FencedError, messageOf } from '../domain/errors.ts';
import type { Claim } from '../domain/job.ts';
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
  let idle: readonly Claim[] = [];
  for (;;) {
    await clock.sleep(RENEW_MS, signal);
    if (signal.aborted) return;
    try {
      idle = await renew(core, idle);
    } catch (error) {
      log(`leases: ${messageOf(error)}`);
      // Another engine has taken over: nothing of this one's work can be brought in any more.
      if (error instanceof FencedError) for (const { abort } of core.inFlight) abort.abort();
    }
  }
};

/**
 * Returns the claims that nobody works on though their leases are over. They are taken back when that was so `before`, too:
 * one that was stored a moment ago need not have begun, however long the moment was (a computer sleeps).
 */
const renew = async (core: Core, before: readonly Claim[]): Promise<readonly Claim[]> => {
  const { store, clock, log } = core.parts;
  const { lost, idle, taken } = await store.transaction(async (tx) => {
    const now = clock.now();
    const work = [...core.inFlight].map(({ claim }) => claim);
    const lost = new Set(await tx.renewLeases(work, now));
    const idle = (await tx.staleJobs(now)).filter((job) => !work.some((claim) => isSame(claim, job)));
    const taken = idle.filter((job) => before.some((claim) => isSame(claim, job)));
    await takeBack(core, tx, taken, 'Its lease was over.');
    return { lost, idle, taken };
  });
  for (const { claim, abort } of core.inFlight) if (lost.has(claim)) abort.abort();
  for (const job of taken) log(`${job.kind} ${job.id}: nobody worked on it any more; it was put back`);
  if (taken.length > 0) core.wake();
  return idle;
};

const isSame = (one: Claim, other: Claim): boolean =>
  one.id === other.id && one.claims === other.claims && one.epoch === other.epoch;
