import { agentOperations } from './agents.ts';
import type { Operation } from './define.ts';
import { pauseOperations } from './pauses.ts';
import { planningOperations } from './planning.ts';
import { reviewOperations } from './reviews.ts';
import { runOperations } from './runs.ts';
import { skillSourceOperations } from './skill-sources.ts';
import { skillOperations } from './skills.ts';
import { workflowOperations } from './workflows.ts';

/** Every operation there is, sorted by name so that tool lists are the same each time. */
export const operations: readonly Operation[] = (
  [
    ...runOperations,
    ...planningOperations,
    ...workflowOperations,
    ...agentOperations,
    ...pauseOperations,
    ...reviewOperations,
    ...skillOperations,
    ...skillSourceOperations,
  ] as unknown as Operation[]
).sort((a, b) => (a.name < b.name ? -1 : 1));
