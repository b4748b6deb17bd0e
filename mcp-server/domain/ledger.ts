import type { AccountId, RunId, TurnId } from './ids.ts';

export type LedgerKind = 'open' | 'grant' | 'reserve' | 'settle' | 'release' | 'reclaim';

/** Tokens. `granted` = in from above, less reclaimed; it equals available + reserved + used + granted to children. */
export interface Account {
  readonly id: AccountId;
  readonly run: RunId;
  readonly available: number;
  readonly reserved: number;
  readonly used: number;
  readonly granted: number;
}

/** One movement of tokens; `from` and `to` name a pot of an account: `a-1:available` → `a-1:reserved`. */
export interface LedgerRow {
  readonly id: number;
  readonly run: RunId;
  readonly kind: LedgerKind;
  readonly from: string;
  readonly to: string;
  readonly amount: number;
  readonly turn: TurnId | null;
  readonly at: number;
}
