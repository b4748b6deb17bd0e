import type { Agent } from '../domain/agent.ts';
import { type Approval, ApprovalNeeded } from '../domain/approval.ts';
import { UserError } from '../domain/errors.ts';
import type { EngineEvent } from '../domain/event.ts';
import { type AgentId, newId, type RunId } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import type { Tx } from '../store/port.ts';
import type { Core } from './core.ts';
import type { ApprovalView } from './facade.ts';
import { isOver } from './retire.ts';
import { isUsable, requireUsable } from './skill-permissions.ts';

interface Wait {
  readonly approval: Approval;
  readonly skill: string;
  readonly agents: Map<AgentId, RunId>;
}

/**
 * Skills that agents want and the person has not trusted yet. What is wanted and what was answered are events, so an engine
 * that comes after this one knows them: what is held here can be made again from those.
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
    if (wait && approved) await this.settleSkill(core, wait.skill);
    else if (wait) await this.#answer(core, wait, false);
    return wait !== undefined;
  }

  /** The person trusts the skill now; what was asked of an earlier content of it is answered by that too. */
  async settleSkill(core: Core, skill: string): Promise<void> {
    for (const wait of this.#waiting.values()) if (wait.skill === skill) await this.#answer(core, wait, true);
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

  /** What agents of the run that have not ended wait for. */
  async of({ parts: { store } }: Core, run: RunId): Promise<readonly ApprovalView[]> {
    const views: ApprovalView[] = [];
    for (const { approval, skill, agents } of this.#waiting.values()) {
      const ids = [...agents].filter(([, of]) => of === run).map(([id]) => id);
      const live = ids.length > 0 ? (await store.agents(run, { ids })).filter((agent) => !isOver(agent)) : [];
      const { id, question, where } = approval;
      if (live.length > 0) views.push({ approval: id, skill, question, where, agents: live.map((agent) => agent.id) });
    }
    return views;
  }

  /** Nobody of the run wants anything any more. */
  forget(run: RunId): void {
    this.#refused.delete(run);
    for (const wait of this.#waiting.values())
      for (const [agent, of] of wait.agents) if (of === run) this.#leave(wait, agent);
  }

  /** Takes up what agents wanted of an earlier engine. What the person has trusted meanwhile is answered. */
  async restore(core: Core): Promise<void> {
    const { store } = core.parts;
    for (const run of await store.activeRuns()) {
      for (const event of await store.eventsOf(run.id, ['skill.wanted', 'skill.answered'])) this.#replay(event, run.id);
    }
    for (const wait of this.#waiting.values()) {
      for (const agent of wait.agents.keys()) {
        const row = await store.agent(agent);
        if (!row || isOver(row)) this.#leave(wait, agent);
      }
      await this.#catchUp(core, wait);
    }
  }

  #replay(event: EngineEvent, run: RunId): void {
    if (event.agent === null) return;
    if (event.type === 'skill.wanted' && event.approval !== undefined) {
      const { approval: id, question, where, skill } = event;
      this.#enter({ id, question, where }, skill, event.agent, run);
    } else if (event.type === 'skill.answered') {
      const wait = this.#waiting.get(event.approval);
      if (wait) this.#leave(wait, event.agent);
      if (!event.approved) this.#refuse(run, event.approval);
    }
  }

  /** While no engine was there, the person may have trusted the skill, or somebody may have changed it. */
  async #catchUp(core: Core, wait: Wait): Promise<void> {
    const skill = core.parts.skills?.registry.list().find(({ name }) => name === wait.skill);
    if (!skill) return;
    if (isUsable(skill)) return this.settleSkill(core, wait.skill);
    try {
      requireUsable(skill);
    } catch (error) {
      if (!(error instanceof ApprovalNeeded) || error.approval.id === wait.approval.id) return;
      for (const [agent, run] of wait.agents) await this.#ask(core, error.approval, wait.skill, agent, run);
    }
  }

  async #answer(core: Core, wait: Wait, approved: boolean): Promise<void> {
    const { approval, skill } = wait;
    this.#waiting.delete(approval.id);
    if (!approved) for (const run of wait.agents.values()) this.#refuse(run, approval.id);
    const body = approved
      ? `The person trusts the skill ${skill} now. You can use it.`
      : `The person does not trust the skill ${skill}. Do without it.`;
    const now = core.parts.clock.now();
    for (const [agent, run] of wait.agents)
      await core.parts.store.transaction(async (tx) => {
        await tell(core, tx, agent, body, approved);
        await tx.emit(now, [{ type: 'skill.answered', run, agent, skill, approval: approval.id, approved }]);
      });
    core.wake();
  }

  #refuse(run: RunId, id: string): void {
    this.#refused.set(run, (this.#refused.get(run) ?? new Set<string>()).add(id));
  }

  /** An agent waits for one content of a skill only: the last one that it asked for. */
  #enter(approval: Approval, skill: string, agent: AgentId, run: RunId): void {
    for (const other of this.#waiting.values())
      if (other.skill === skill && other.approval.id !== approval.id) this.#leave(other, agent);
    const wait = this.#waiting.get(approval.id) ?? { approval, skill, agents: new Map<AgentId, RunId>() };
    wait.agents.set(agent, run);
    this.#waiting.set(approval.id, wait);
  }

  #leave({ approval, agents }: Wait, agent: AgentId): void {
    agents.delete(agent);
    if (agents.size === 0) this.#waiting.delete(approval.id);
  }

  async #ask(core: Core, approval: Approval, skill: string, agent: AgentId, run: RunId): Promise<void> {
    if (this.#waiting.get(approval.id)?.agents.has(agent)) return;
    this.#enter(approval, skill, agent, run);
    const { id, question, where } = approval;
    const event = { type: 'skill.wanted', run, agent, skill, question, where, approval: id } as const;
    await core.parts.store.transaction((tx) => tx.emit(core.parts.clock.now(), [event]));
    for (const look of this.#listeners) look();
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
    await this.#ask(core, approval, skill, agent.id, run.id);
    const told = `They are asked (${approval.where}), and a message tells you their answer. Go on with what does not need it, or do without.`;
    return new UserError('permission-denied', `${needs} ${told}`);
  }
}

/** Trust is read also by an agent that is about to end without it. */
const tell = async (core: Core, tx: Tx, to: AgentId, body: string, approved: boolean): Promise<void> => {
  const agent = await tx.agent(to);
  if (!agent || isOver(agent)) return;
  const { clock } = core.parts;
  const id = newId('message', core.parts);
  const createdAt = clock.now();
  const kind = approved ? 'answer' : 'notice';
  await tx.send({ id, run: agent.run, to, from: 'engine', kind, priority: 10, body, createdAt });
};
