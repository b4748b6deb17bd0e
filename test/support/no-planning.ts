import type { PlanningFacade } from '../../mcp-server/engine/planning-facade.ts';

const none = (): Promise<never> => Promise.reject(new Error('This engine plans nothing.'));

/** For engines of tests that are about other things. */
export const noPlanning: PlanningFacade = {
  showPlan: none,
  changePlan: none,
  approvePlan: none,
  waitPlanned: none,
  forecast: none,
  recommendPattern: none,
  listWorkflows: async () => [],
  showWorkflow: none,
  checkWorkflow: none,
  runWorkflow: none,
  saveWorkflow: none,
  retryFailedSteps: none,
};
