import type { Store } from '../../../mcp-server/store/port.ts';
import { agentsContract } from './contract/agents.ts';
import { claimContract } from './contract/claim.ts';
import { jobsContract } from './contract/jobs.ts';
import { ledgerContract } from './contract/ledger.ts';
import { messagesContract } from './contract/messages.ts';
import { plansContract } from './contract/plans.ts';
import { recordsContract } from './contract/records.ts';
import { runsContract } from './contract/runs.ts';
import { transactionsContract } from './contract/transactions.ts';
import { turnsContract } from './contract/turns.ts';
import { undosContract } from './contract/undos.ts';
import type { MakePlace, Place } from './fixtures.ts';

/** What a part of the contract may use: the store of the test that runs, and a second engine on the same data. */
export interface Subject {
  store(): Store;
  again(): Promise<Store>;
}

/** Everything that the engine relies on; every store must pass it. */
export const storeContract = (name: string, makePlace: MakePlace): void => {
  describe(`store on ${name}`, () => {
    let place: Place;
    let store: Store;
    beforeEach(async () => {
      place = await makePlace();
      store = await place.open();
    });
    afterEach(() => place.remove());
    const subject: Subject = { store: () => store, again: () => place.open() };
    describe('transactions', () => transactionsContract(subject));
    describe('runs', () => runsContract(subject));
    describe('plans', () => plansContract(subject));
    describe('agents', () => agentsContract(subject));
    describe('jobs', () => jobsContract(subject));
    describe('claims', () => claimContract(subject));
    describe('turns', () => turnsContract(subject));
    describe('messages', () => messagesContract(subject));
    describe('ledger', () => ledgerContract(subject));
    describe('undos, kept plans and forecasts', () => undosContract(subject));
    describe('worktrees, observations and events', () => recordsContract(subject));
  });
};
