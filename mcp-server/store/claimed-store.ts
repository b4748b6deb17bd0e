import type { Claim } from '../domain/job.ts';
import type { Store, Tx } from './port.ts';

/**
 * The store as the work of one claim sees it: each of its transactions throws FencedError, and changes nothing, once the
 * job has been finished, put back or claimed again. Whoever was away for too long cannot bring its late outcome in.
 */
export const underClaim = (store: Store, claim: Claim): Store => {
  const transaction = <T>(work: (tx: Tx) => Promise<T>): Promise<T> =>
    store.transaction(async (tx) => {
      await tx.assertHeld(claim);
      return work(tx);
    });
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'transaction') return transaction;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
};
