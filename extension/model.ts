import type { AccountView, AgentView, RunView } from '../mcp-server/operations/views.ts';
import type { QueueView } from './operations.ts';

/** The id under which the root of a tree is named in a change. */
export const ROOT = '';

/** What became different. Ids are those of runs, agents and accounts; `grown` names nodes whose list of children changed. */
export interface Change {
  readonly nodes: ReadonlySet<string>;
  readonly grown: ReadonlySet<string>;
  readonly budgets: ReadonlySet<string>;
  readonly budgetsGrown: ReadonlySet<string>;
  readonly queue: boolean;
}

/** What the editor knows of the engine: rows as they were last read, and the tree that they form. Knows no editor and no engine. */
export class Model {
  readonly #runs = new Map<string, RunView>();
  readonly #agents = new Map<string, AgentView>();
  readonly #children = new Map<string, string[]>();
  /** Tokens used by an agent and all below it. */
  readonly #subtree = new Map<string, number>();
  /** Agents below a run or an agent, at any depth. */
  readonly #descendants = new Map<string, number>();
  readonly #accounts = new Map<string, AccountView>();
  readonly #accountChildren = new Map<string, string[]>();
  #runOrder: string[] = [];
  #queue: QueueView | undefined;
  #change = new Pending();

  /** Newest first. */
  runs(): RunView[] {
    return this.#runOrder.map((id) => this.#runs.get(id)).filter((run) => run !== undefined);
  }

  run(id: string): RunView | undefined {
    return this.#runs.get(id);
  }

  agent(id: string): AgentView | undefined {
    return this.#agents.get(id);
  }

  /** Ids of the agents right below a run or an agent, in the order of their creation. */
  childrenOf(id: string): readonly string[] {
    return this.#children.get(id) ?? [];
  }

  /** The id of the agent or run above an agent; undefined for a run and for what is unknown. */
  parentOf(agentId: string): string | undefined {
    const agent = this.#agents.get(agentId);
    return agent && parentIdOf(agent);
  }

  subtreeUsed(agentId: string): number {
    return this.#subtree.get(agentId) ?? 0;
  }

  descendantsOf(id: string): number {
    return this.#descendants.get(id) ?? 0;
  }

  account(id: string): AccountView | undefined {
    return this.#accounts.get(id);
  }

  accountChildrenOf(id: string): readonly string[] {
    return this.#accountChildren.get(id) ?? [];
  }

  queue(): QueueView | undefined {
    return this.#queue;
  }

  /** Agents whose turn is running now, in all runs that are not over. */
  activeAgents(): number {
    return this.activeRuns().reduce((sum, run) => sum + run.agents.active, 0);
  }

  activeRuns(): RunView[] {
    return this.runs().filter(isActive);
  }

  /** Takes in rows of runs; those that are already known keep their place, newer ones come first. */
  applyRuns(runs: readonly RunView[]): void {
    for (const run of runs) {
      const known = this.#runs.get(run.run);
      if (known && same(known, run)) continue;
      this.#runs.set(run.run, run);
      if (known) this.#change.nodes.add(run.run);
      else {
        this.#runOrder.push(run.run);
        this.#change.grown.add(ROOT);
      }
    }
    this.#runOrder = this.#runOrder.toSorted((a, b) => this.#createdAt(b) - this.#createdAt(a));
  }

  /** Takes in rows of agents, in any order and as often as wanted. */
  applyAgents(agents: readonly AgentView[]): void {
    for (const agent of agents) {
      const known = this.#agents.get(agent.agent);
      if (known && same(known, agent)) continue;
      this.#agents.set(agent.agent, agent);
      if (known) this.#addUsed(agent.agent, agent.tokens.used - known.tokens.used);
      else this.#insert(agent);
      this.#change.nodes.add(agent.agent);
    }
  }

  /** Replaces the accounts of one run. */
  applyBudget(run: string, accounts: readonly AccountView[]): void {
    for (const account of accounts) {
      const known = this.#accounts.get(account.account);
      if (known && same(known, account)) continue;
      this.#accounts.set(account.account, account);
      this.#change.budgets.add(account.account);
      if (known) continue;
      const parent = account.account === run ? ROOT : (account.parent ?? run);
      if (parent !== ROOT) push(this.#accountChildren, parent, account.account);
      this.#change.budgetsGrown.add(parent);
    }
  }

  /** Replaces the queue. Ages alone count as a change only when `showAges` says so: they differ every time. */
  applyQueue(queue: QueueView, showAges = false): void {
    const isChanged = !this.#queue || !same(ageless(this.#queue), ageless(queue));
    this.#queue = queue;
    if (isChanged || showAges) this.#change.queue = true;
  }

  /** Forgets everything, for an engine whose history is another one. */
  clear(): void {
    for (const map of [this.#runs, this.#agents, this.#children, this.#subtree, this.#descendants]) map.clear();
    this.#accounts.clear();
    this.#accountChildren.clear();
    this.#runOrder = [];
    this.#queue = undefined;
    this.#change = new Pending();
    this.#change.grown.add(ROOT);
    this.#change.budgetsGrown.add(ROOT);
    this.#change.queue = true;
  }

  /** All that changed since the last call; undefined when nothing did. */
  takeChange(): Change | undefined {
    const change = this.#change;
    if (change.isEmpty()) return undefined;
    this.#change = new Pending();
    return change;
  }

  #insert(agent: AgentView): void {
    const parent = parentIdOf(agent);
    push(this.#children, parent, agent.agent);
    this.#change.grown.add(parent);
    // Children may have come before their parent: what they used and how many they are is already noted under its id.
    const below = this.#subtree.get(agent.agent) ?? 0;
    this.#subtree.set(agent.agent, below + agent.tokens.used);
    const born = 1 + (this.#descendants.get(agent.agent) ?? 0);
    for (const above of this.#above(agent.agent)) {
      this.#subtree.set(above, (this.#subtree.get(above) ?? 0) + below + agent.tokens.used);
      this.#descendants.set(above, (this.#descendants.get(above) ?? 0) + born);
      this.#change.nodes.add(above);
    }
  }

  #addUsed(id: string, delta: number): void {
    if (delta === 0) return;
    this.#subtree.set(id, (this.#subtree.get(id) ?? 0) + delta);
    for (const above of this.#above(id)) {
      this.#subtree.set(above, (this.#subtree.get(above) ?? 0) + delta);
      this.#change.nodes.add(above);
    }
  }

  /** The ids above an agent, its run last; ends early where an agent is not known yet. */
  *#above(id: string): Generator<string> {
    for (let at = this.parentOf(id); at !== undefined; at = this.parentOf(at)) yield at;
  }

  #createdAt(run: string): number {
    return this.#runs.get(run)?.createdAt ?? 0;
  }
}

class Pending implements Change {
  readonly nodes = new Set<string>();
  readonly grown = new Set<string>();
  readonly budgets = new Set<string>();
  readonly budgetsGrown = new Set<string>();
  queue = false;

  isEmpty(): boolean {
    return !this.queue && [this.nodes, this.grown, this.budgets, this.budgetsGrown].every((set) => set.size === 0);
  }
}

/** True until the run has ended. */
export const isActive = (run: RunView): boolean => run.endedAt === null;

/** True when there are changes to look at that were neither landed nor discarded. */
export const isReviewable = (run: RunView): boolean => !isActive(run) && run.review === 'open';

const parentIdOf = (agent: AgentView): string => agent.parent ?? agent.run;

const same = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);

const ageless = (queue: QueueView): object => ({ ...queue, jobs: queue.jobs.map((job) => ({ ...job, ageMs: 0 })) });

const push = (lists: Map<string, string[]>, key: string, value: string): void => {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
};
