import { truncate } from '../domain/text.ts';

/** Roles that a planner may give to a step; any other role that it makes up is kept as plain text. */
export const PLAN_ROLES: readonly string[] = ['worker', 'researcher', 'writer', 'tester'];

/** The system message of a planning turn; the same for every run. */
export const PLANNER_PROMPT = `You plan. You do not do the work yourself.
Split the task into steps. Each step is done by one agent that works alone on its own copy of the repository and sees nothing but its own step.
Answer with one JSON object: {"steps":[{"key":"short-name","title":"a few words","task":"what to do","role":"worker","needs":[]}]}
Rules:
- Few steps are better than many. A small task is one step.
- Steps must not overlap: no two steps may change the same file.
- Together the steps cover the whole task, and nothing more.
- Write each task so that somebody who knows nothing else can do it: which folders or files, what to do, what the result is.
- "needs" lists the keys of steps whose result a step cannot start without. Steps without needs run at the same time. No circles.
- Add no step that only collects, joins or reviews the others; that is done anyway.`;

const TASK_CHARS = 12_000;

/** The messages of a planning turn: what the planner is, then the task, the bound and the repository. */
export const planningMessages = (input: {
  readonly task: string;
  /** Of `repositoryDigest`. */
  readonly digest: string;
  readonly maxSteps: number;
  readonly roles?: readonly string[];
}): { readonly role: 'system' | 'user'; readonly content: string }[] => [
  { role: 'system', content: PLANNER_PROMPT },
  {
    role: 'user',
    content: [
      `Task:\n${truncate(input.task.trim(), TASK_CHARS)}`,
      `Make at most ${input.maxSteps} steps.`,
      `Roles: ${(input.roles ?? PLAN_ROLES).join(', ')}.`,
      `The repository:\n${input.digest}`,
    ].join('\n\n'),
  },
];

/** Longest texts of a planned step, characters. */
export const PLAN_LIMITS = { key: 32, title: 60, task: 1200, needs: 8 } as const;

/**
 * JSON schema of a plan. It uses only what llama-server enforces: no `pattern`, no `multipleOf`. The answer must be
 * parsed by `parsePlan` all the same.
 */
export const planSchema = (maxSteps: number, roles: readonly string[] = PLAN_ROLES): Record<string, unknown> => ({
  type: 'object',
  properties: {
    steps: {
      type: 'array',
      minItems: 1,
      maxItems: Math.max(1, maxSteps),
      items: {
        type: 'object',
        properties: {
          key: { type: 'string', minLength: 1, maxLength: PLAN_LIMITS.key },
          title: { type: 'string', minLength: 1, maxLength: PLAN_LIMITS.title },
          task: { type: 'string', minLength: 1, maxLength: PLAN_LIMITS.task },
          role: { type: 'string', enum: [...roles] },
          needs: {
            type: 'array',
            maxItems: PLAN_LIMITS.needs,
            items: { type: 'string', minLength: 1, maxLength: PLAN_LIMITS.key },
          },
        },
        required: ['key', 'title', 'task', 'role', 'needs'],
        additionalProperties: false,
      },
    },
  },
  required: ['steps'],
  additionalProperties: false,
});
