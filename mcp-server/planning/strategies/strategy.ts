import type { Complexity } from '../../domain/plan.ts';

/** What agents of a domain specialise in; a step whose text fits `when` gets the role and the capability. */
export interface Specialisation {
  readonly role: string;
  readonly capability: string;
  readonly when: RegExp;
}

/** A stretch of the work that is typical of a domain. */
export interface Phase {
  readonly key: string;
  readonly title: string;
  readonly role: string;
  /** What its agent does, after the task of the person. */
  readonly task: string;
  /** Keys of earlier phases. */
  readonly needs: readonly string[];
  /** From how much of a task on it is worth an agent of its own. */
  readonly from: Exclude<Complexity['level'], 'atomic' | 'simple'>;
  readonly capabilities: readonly string[];
  /** Ways to divide it among several agents, most useful first; empty: it is not divided by rule. */
  readonly angles: readonly string[];
}

/** How tasks of one domain are taken apart: data for the planner's prompt and for the rules. */
export interface Strategy {
  readonly name: string;
  /** Words that speak for it, in the task. */
  readonly signs: RegExp;
  /** First words of a task that speak for it most. */
  readonly opens: RegExp;
  /** Roles that a planner may give, most useful first. */
  readonly roles: readonly string[];
  /** For the planner, beside its general rules. */
  readonly advice: readonly string[];
  readonly phases: readonly Phase[];
  readonly specialisations: readonly Specialisation[];
}
