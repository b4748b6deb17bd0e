import type { Clock } from './clock.ts';

/** Ids are opaque strings with a one-letter prefix, so that a mixed-up id is refused at sight. */
export type RunId = string & { readonly brand: 'run' };
export type StepId = string & { readonly brand: 'step' };
export type AgentId = string & { readonly brand: 'agent' };
export type JobId = string & { readonly brand: 'job' };
export type TurnId = string & { readonly brand: 'turn' };
export type MessageId = string & { readonly brand: 'message' };
/** Whoever can hold tokens: an agent, or the pool of a run. */
export type AccountId = RunId | AgentId;
/** A full git object name, 40 or 64 hex digits. */
export type Commit = string & { readonly brand: 'commit' };

/** A source of random numbers in [0, 1). Injected, so that tests repeat. */
export type Random = () => number;

/** What ids are made of. */
export interface Makes {
  readonly random: Random;
  readonly clock: Clock;
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const PREFIX = { run: 'r', step: 's', agent: 'a', job: 'j', turn: 't', message: 'm' } as const;
interface Kinds {
  run: RunId;
  step: StepId;
  agent: AgentId;
  job: JobId;
  turn: TurnId;
  message: MessageId;
}

/** Lower-case letters and digits (Crockford's alphabet), safe in a branch name and in a path. */
export const randomSuffix = (random: Random, length: number): string => {
  let suffix = '';
  for (let place = 0; place < length; place += 1) suffix += ALPHABET[Math.floor(random() * 32)];
  return suffix;
};

/** Of the time in ms, as many characters as tell a year apart. */
const timePart = (ms: number): string => {
  let part = '';
  for (let left = Math.floor(ms), place = 0; place < 7; place += 1, left = Math.floor(left / 32))
    part = ALPHABET[left % 32] + part;
  return part;
};

/**
 * `a-1k9m3p74kq2zhx`: after the prefix the time, then 35 random bits. What is made at about the same time sorts together, so
 * that it lies together in the database, where a commit then writes fewer pages.
 */
export const newId = <K extends keyof Kinds>(kind: K, makes: Makes): Kinds[K] =>
  `${PREFIX[kind]}-${timePart(makes.clock.now())}${randomSuffix(makes.random, 7)}` as Kinds[K];
