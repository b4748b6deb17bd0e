import type { z } from 'zod';
import type {
  forecastView,
  planView,
  remainingView,
  textFault,
  workflowValue,
  workflowView,
} from '../../mcp-server/operations/planning-views.ts';
import type { startOptions } from '../../mcp-server/operations/start-options.ts';
import type { RunView } from '../../mcp-server/operations/views.ts';

export type PlanView = z.infer<typeof planView>;
export type StepView = PlanView['steps'][number];
export type Forecast = z.infer<typeof forecastView>;
export type Remaining = z.infer<typeof remainingView>;
export type TextFault = z.infer<typeof textFault>;
export type WorkflowView = z.infer<typeof workflowView>;
export type WorkflowParameter = WorkflowView['parameters'][string];
export type WorkflowValue = z.infer<typeof workflowValue>;
export type ShrinkHow = 'fewer-agents' | 'cheaper-tiers' | 'tighter-steps';

/** The operations on plans and workflows that the editor calls, with their inputs and outputs. */
export interface PlanOperations {
  plan_show: { input: { run: string }; output: PlanView };
  plan_edit: {
    input: { run: string; yaml?: string; shrink?: ShrinkHow };
    output: { plan: PlanView; changes: readonly string[] };
  };
  plan_approve: { input: { run: string }; output: RunView };
  forecast: {
    input: { run: string };
    output: { run: string; forecast: Forecast; remaining: Remaining | null; summary: string };
  };
  run_retry: { input: { run: string; budget?: number }; output: RunView };
  workflow_list: { input: Record<string, never>; output: { workflows: readonly WorkflowView[] } };
  workflow_check: { input: { text: string }; output: { ok: boolean; faults: readonly TextFault[] } };
  workflow_run: {
    input: {
      name: string;
      parameters: Record<string, WorkflowValue>;
      options: z.infer<typeof startOptions>;
      key: string;
    };
    output: RunView;
  };
  workflow_save: { input: { run: string; name: string }; output: { path: string } };
}
