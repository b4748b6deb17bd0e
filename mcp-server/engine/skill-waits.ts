import type { Agent } from '../domain/agent.ts';
import { type Approval, ApprovalNeeded } from '../domain/approval.ts';
import { UserError } from '../domain/errors.ts';
import { type AgentId, newId, type RunId } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import type { Core } from './core.ts';
import { isOver } from './settle.ts';

interface Wait {
  readonly approval: Approval;
  readonly skill: string;
  readonly agents: Map<AgentId, RunId>;
}

/**
 * Skills that agents want and the person has not trusted yet. Held in memory: an agent of a new engine asks once more, and
 * the skill needs its review all the same.
 */
export class SkillWaits {
  readonly #waiting = new Map<string, Wait>();
  /** Approvals that the person refused, by run: nobody asks them twice. */
  readonly #refused = new Map<RunId, Set<string>>();
  readonly #listeners = new Set<() => void>();

  /** Runs `use`; when the person's trust is missing, they are asked, and a UserError says so to the agent. */
  async asking<T>(core: Core, who: { readonly run: Run; readonly agent: Agent }, skill: string, use: () => Promise<T>) {
    try {
      return await use();
    } catch (error) {
      throw error instanceof ApprovalNeeded ? await this.#want(core, who, skill, error.approval) : error;
    }
  }

  /** The person has answered. Returns whether anybody had waited for it; they are told by a message. */
  async settle(core: Core, id: string, approved: boolean): Promise<boolean> {
    const wait = this.#waiting.get(id);
    if (!wait) return false;
    this.#waiting.delete(id);
    if (!approved)
      for (const run of wait.agents.values())
        this.#refused.set(run, (this.#refused.get(run) ?? new Set<string>()).add(id));
    const body = approved
      ? `The person trusts the skill ${wait.skill} now. You can use it.`
      : `The person does not trust the skill ${wait.skill}. Do without it.`;
    for (const agent of wait.agents.keys()) await tell(core, agent, body);
    core.wake();
    return true;
  }

  /** What an agent of the run waits for and is not among `seen`, now or later; null when `signal` aborts first. */
  next(run: RunId, seen: readonly string[], signal: AbortSignal): Promise<Approval | null> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = [...this.#waiting.values()].find(
          ({ approval, agents }) => !seen.includes(approval.id) && [...agents.values()].includes(run),
        );
        if (!found && !signal.aborted) return;
        this.#listeners.delete(look);
        signal.removeEventListener('abort', look);
        resolve(signal.aborted ? null : (found?.approval ?? null));
      };
      this.#listeners.add(look);
      signal.addEventListener('abort', look);
      look();
    });
  }

  /** Nobody of the run wants anything any more. */
  forget(run: RunId): void {
    this.#refused.delete(run);
    for (const [id, { agents }] of this.#waiting) {
      for (const [agent, of] of agents) if (of === run) agents.delete(agent);
      if (agents.size === 0) this.#waiting.delete(id);
    }
  }

  async #want(
    core: Core,
    { run, agent }: { readonly run: Run; readonly agent: Agent },
    skill: string,
    approval: Approval,
  ): Promise<UserError> {
    const needs = `The skill ${skill} needs the person's trust for the content that it has now.`;
    if (run.options.unattended)
      return new UserError('permission-denied', `${needs} Nobody is there to give it: do without.`);
    if (this.#refused.get(run.id)?.has(approval.id))
      return new UserError('permission-denied', `${needs} The person has refused it: do without.`);
    const wait = this.#waiting.get(approval.id) ?? { approval, skill, agents: new Map<AgentId, RunId>() };
    if (!wait.agents.has(agent.id)) {
      wait.agents.set(agent.id, run.id);
      this.#waiting.set(approval.id, wait);
      const { question, where } = approval;
      const event = { type: 'skill.wanted', run: run.id, agent: agent.id, skill, question, where } as const;
      await core.parts.store.transaction((tx) => tx.emit(core.parts.clock.now(), [event]));
      for (const look of this.#listeners) look();
    }
    const told = `They are asked (${approval.where}), and a message tells you their answer. Go on with what does not need it, or do without.`;
    return new UserError('permission-denied', `${needs} ${told}`);
  }
}

const tell = (core: Core, to: AgentId, body: string): Promise<void> =>
  core.parts.store.transaction(async (tx) => {
    const agent = await tx.agent(to);
    if (!agent || isOver(agent)) return;
    const { clock, random } = core.parts;
    const id = newId('message', random);
    await tx.send({
      id,
      run: agent.run,
      to,
      from: 'engine',
      kind: 'notice',
      priority: 0,
      body,
      createdAt: clock.now(),
    });
  });
