import type { EngineClient } from '../engine-client.ts';
import type { SkillRow } from './describe-skill.ts';
import type { SkillProblem } from './operations.ts';
import { rowsOf } from './skill-rows.ts';

/** Skills and their problems as they were read last. */
export interface SkillState {
  readonly rows: readonly SkillRow[];
  readonly problems: readonly SkillProblem[];
}

const PAGE = 2000;
/** Changes come in bursts: a use is counted, a file saved, a list told three times. */
const GATHER_MS = 100;

/** The skills of the repository, kept in step with the engine from the first time that there is a connection. */
export class SkillList {
  readonly #client: EngineClient;
  readonly #log: (line: string) => void;
  readonly #listeners = new Set<(state: SkillState) => void>();
  readonly #stops: readonly { dispose(): void }[];
  #state: SkillState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #again = false;
  #disposed = false;

  constructor(client: EngineClient, log: (line: string) => void) {
    this.#client = client;
    this.#log = log;
    this.#stops = [
      client.onLists(() => this.refreshSoon()),
      client.onState((state) => state.kind === 'ready' && this.refreshSoon()),
      // Neither a use nor a draft beside a skill of its name is a change of the list.
      client.onEvents((events) => events.some(({ type }) => type === 'run.ended') && this.refreshSoon()),
    ];
  }

  /** Undefined: nothing was read yet. */
  get state(): SkillState | undefined {
    return this.#state;
  }

  /** The skill of this name, or its draft where there is no such skill. */
  find(name: string): SkillRow | undefined {
    return this.#state?.rows.find(({ skill }) => skill.name === name);
  }

  onChange(listener: (state: SkillState) => void): { dispose(): void } {
    this.#listeners.add(listener);
    return { dispose: () => this.#listeners.delete(listener) };
  }

  /** Reads again after a moment; many calls are one. Does nothing without a connection. */
  refreshSoon(ms = GATHER_MS): void {
    if (this.#disposed || this.#client.state.kind !== 'ready') return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.refresh().catch((error: unknown) => this.#log(`Skills could not be read: ${(error as Error).message}`));
    }, ms);
  }

  /** Reads now, and once more when something changes meanwhile; waits for a connection. */
  async refresh(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return this.#reading;
    }
    this.#reading = this.#readUntilQuiet().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  dispose(): void {
    this.#disposed = true;
    clearTimeout(this.#timer);
    for (const stop of this.#stops) stop.dispose();
    this.#listeners.clear();
  }

  async #readUntilQuiet(): Promise<void> {
    do {
      this.#again = false;
      const state = await this.#read();
      if (this.#disposed) return;
      this.#state = state;
      for (const listener of this.#listeners) listener(state);
    } while (this.#again);
  }

  async #read(): Promise<SkillState> {
    const first = await this.#client.call('skill_list', { limit: PAGE });
    const skills = [...first.skills];
    for (let next = first.next; next !== null; ) {
      const page = await this.#client.call('skill_list', { limit: PAGE, after: next });
      skills.push(...page.skills);
      next = page.next;
    }
    const { drafts } = await this.#client.call('skill_drafts', {});
    const { problems } = await this.#client.call('skill_check', {});
    return { rows: rowsOf(skills, first.imported, drafts), problems };
  }
}
