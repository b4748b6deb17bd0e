import { WISHED_PATTERNS } from '../domain/plan.ts';
import type { Permissions, Team } from '../domain/run.ts';
import { counted, truncate } from '../domain/text.ts';
import type { Strategy } from './strategies/strategy.ts';

/** Roles that a planner may give to a step where no domain says others; any other role that it makes up is kept as plain text. */
export const PLAN_ROLES: readonly string[] = ['worker', 'researcher', 'writer', 'tester'];

/** The system message of a planning turn; the same for every run. */
export const PLANNER_PROMPT = `You plan. You do not do the work yourself.
Split the task into steps. Each step is done by one agent that works alone on its own copy of the repository and sees nothing but its own step.
Answer with one JSON object: {"steps":[{"key":"short-name","title":"a few words","task":"what to do","role":"worker","needs":[],"files":["src/a.ts"]}]}
Rules:
- Few steps are better than many. A small task is one step.
- Steps must not overlap. "files" lists the paths that a step will change, folders with a slash at the end; none when it only reads. Steps that run at the same time must not share any.
- Together the steps cover the whole task, and nothing more.
- Write each task so that somebody who knows nothing else can do it: which folders or files, what to do, what the result is.
- "needs" lists the keys of steps whose result a step cannot start without. Steps without needs run at the same time. No circles.
- Add no step that only collects, joins or reviews the others; that is done anyway.`;

const TASK_CHARS = 12_000;

/** What a planner may choose from; the same must be given to `planningMessages` and to `planSchema`. */
export interface PlanOffer {
  /** Of `chooseStrategy`; absent: PLAN_ROLES and no advice. */
  readonly strategy?: Strategy;
  /** Names of skills that steps may be given; at most MOST_SKILLS of them are offered. Absent: none. */
  readonly skills?: readonly string[];
  /** Of the run; steps can only narrow them. Absent: steps are not asked for programs. */
  readonly permissions?: Permissions;
  /** True: the planner may propose a pattern. */
  readonly pattern?: boolean;
}

/** Longer lists of skills would cost every prompt more than they bring. */
export const MOST_SKILLS = 30;
const MOST_PROGRAMS = 30;

const rolesOf = (offer: PlanOffer): readonly string[] => offer.strategy?.roles ?? PLAN_ROLES;
const skillsOf = (offer: PlanOffer): readonly string[] => (offer.skills ?? []).slice(0, MOST_SKILLS);
const asksForPrograms = ({ permissions }: PlanOffer): boolean =>
  permissions !== undefined && permissions.commands !== 'off';

const programsOf = ({ permissions }: PlanOffer): readonly string[] =>
  permissions && typeof permissions.commands === 'object' ? permissions.commands.allowed.slice(0, MOST_PROGRAMS) : [];

const programLine = (offer: PlanOffer): readonly string[] => {
  if (!asksForPrograms(offer)) return [];
  const known = programsOf(offer);
  const which = known.length > 0 ? `; there are: ${known.join(', ')}` : '';
  return [
    `"commands" lists the programs that a step must run, for example to test${which}. Without it, it can run none.`,
  ];
};

/** What may be said of a step besides, each in one line, and only where it is offered. */
const offerLines = (offer: PlanOffer): readonly string[] => [
  ...(skillsOf(offer).length > 0 ? [`"skills", only where one helps a step, of: ${skillsOf(offer).join(', ')}.`] : []),
  ...programLine(offer),
  ...(offer.pattern
    ? [
        '"pattern": pipeline for stages, map-reduce for the same work on many pieces, scatter-gather for one question to several agents, saga when all must be undone if one fails; else fork-join.',
      ]
    : []),
];

const adviceLines = ({ strategy }: PlanOffer): readonly string[] =>
  strategy
    ? [
        `This is ${strategy.name} work; usual phases: ${strategy.phases.map(({ key }) => key).join(', ')}.\n${strategy.advice
          .map((line) => `- ${line}`)
          .join('\n')}`,
      ]
    : [];

const boundLine = (maxSteps: number, workers: number | null, team: Team | null): string => {
  if (workers === null)
    return [`Make at most ${counted(maxSteps, 'step')}.`, ...(team ? worthLines(team) : [])].join(' ');
  if (workers >= maxSteps) return `Make at most ${counted(maxSteps, 'step')}.`;
  return `Make at most ${counted(workers, 'step')}, and as many if the task can be split so far: that many agents are wished for.`;
};

/** How many steps are asked for, without making work where there is none. */
const worthLines = ({ level, least, usual, most }: Team): readonly string[] => {
  if (most < 2) return [];
  const many = usual === null ? `${least} or more` : usual > least ? `${least} to ${usual}` : `${least}`;
  const beyond = usual !== null && most > usual ? ', more only where there are so many separate places to work on' : '';
  return [
    `The task seems ${level}: make ${many} steps${beyond}, and fewer if the work does not fall into so many parts that can be done on their own.`,
  ];
};

/** The messages of a planning turn: what the planner is, then the task, the bound, what is offered, and the repository. */
export const planningMessages = (
  input: {
    readonly task: string;
    /** Of `repositoryDigest`. */
    readonly digest: string;
    readonly maxSteps: number;
    /** Agents that are wished for; absent or null: as many as the task is worth. */
    readonly workers?: number | null;
    /** What the task is worth where none are wished for; absent or null: not known. */
    readonly team?: Team | null;
  } & PlanOffer,
): { readonly role: 'system' | 'user'; readonly content: string }[] => [
  { role: 'system', content: PLANNER_PROMPT },
  {
    role: 'user',
    content: [
      `Task:\n${truncate(input.task.trim(), TASK_CHARS)}`,
      boundLine(input.maxSteps, input.workers ?? null, input.team ?? null),
      [`Roles: ${rolesOf(input).join(', ')}.`, ...offerLines(input)].join('\n'),
      ...adviceLines(input),
      `The repository:\n${input.digest}`,
    ].join('\n\n'),
  },
];

/** Longest texts and lists of a planned step; texts in characters. */
export const PLAN_LIMITS = {
  key: 32,
  title: 60,
  task: 1200,
  needs: 8,
  files: 8,
  path: 120,
  skills: 3,
  commands: 6,
} as const;

const text = (maxLength: number): Record<string, unknown> => ({ type: 'string', minLength: 1, maxLength });
const list = (maxItems: number, items: Record<string, unknown>): Record<string, unknown> => ({
  type: 'array',
  maxItems,
  items,
});
const CAPABILITY_CHARS = 24;
const PROGRAM_CHARS = 40;

const offeredProperties = (offer: PlanOffer): Record<string, unknown> => {
  const skills = skillsOf(offer);
  const programs = programsOf(offer);
  return {
    capabilities: list(3, text(CAPABILITY_CHARS)),
    ...(skills.length > 0 ? { skills: list(PLAN_LIMITS.skills, { type: 'string', enum: [...skills] }) } : {}),
    ...(asksForPrograms(offer)
      ? {
          commands: list(
            PLAN_LIMITS.commands,
            programs.length > 0 ? { type: 'string', enum: [...programs] } : text(PROGRAM_CHARS),
          ),
        }
      : {}),
  };
};

/**
 * JSON schema of a plan. It uses only what llama-server enforces: no `pattern`, no `multipleOf`. What is not required may
 * be left out, so that a small model's answer stays short. The answer must be parsed by `parsePlan` all the same.
 */
export const planSchema = (maxSteps: number, offer: PlanOffer = {}): Record<string, unknown> => ({
  type: 'object',
  properties: {
    steps: {
      ...list(Math.max(1, maxSteps), {
        type: 'object',
        properties: {
          key: text(PLAN_LIMITS.key),
          title: text(PLAN_LIMITS.title),
          task: text(PLAN_LIMITS.task),
          role: { type: 'string', enum: [...rolesOf(offer)] },
          needs: list(PLAN_LIMITS.needs, text(PLAN_LIMITS.key)),
          files: list(PLAN_LIMITS.files, text(PLAN_LIMITS.path)),
          ...offeredProperties(offer),
        },
        required: ['key', 'title', 'task', 'role', 'needs', 'files'],
        additionalProperties: false,
      }),
      minItems: 1,
    },
    ...(offer.pattern ? { pattern: { type: 'string', enum: [...WISHED_PATTERNS] } } : {}),
  },
  required: ['steps'],
  additionalProperties: false,
});
