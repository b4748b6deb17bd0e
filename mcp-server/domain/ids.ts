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
export const randomSuffix = (random: Random, length: number): string =>
  Array.from({ length }, () => ALPHABET[Math.floor(random() * 32)]).join('');

/** 60 random bits after the prefix: `a-3k9m1p7q2zhx`. */
export const newId = <K extends keyof Kinds>(kind: K, random: Random): Kinds[K] =>
  `${PREFIX[kind]}-${randomSuffix(random, 12)}` as Kinds[K];
