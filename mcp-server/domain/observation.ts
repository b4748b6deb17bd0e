import type { AgentId, RunId } from './ids.ts';

/** What one agent, or one plan, really cost; forecasts learn from it. */
export interface Observation {
  readonly run: RunId;
  readonly agent: AgentId | null;
  readonly role: string;
  readonly tier: string;
  readonly pattern: string;
  /** Of the run's task; absent in what was observed before it was kept. */
  readonly complexity?: string;
  readonly tokens: number;
  readonly wallMs: number;
  readonly turns: number;
  readonly ok: boolean;
  readonly at: number;
}
