import { UserError } from '../../mcp-server/domain/errors.ts';
import type { Forecast } from '../../mcp-server/domain/forecast.ts';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import type { AgentView, RunView } from '../../mcp-server/engine/facade.ts';
import type { PlanningFacade, PlanView, StepView } from '../../mcp-server/engine/planning-facade.ts';
import { parseWorkflow } from '../../mcp-server/planning/workflows/parse-workflow.ts';
import { noPlanning } from '../support/no-planning.ts';

/** What the fake plans are made of and do. */
export interface FakePlanningParts {
  run(id: RunId): RunView;
  agents(id: RunId): readonly AgentView[];
  /** The agents of a run that waited begin. */
  begin(id: RunId): RunView;
  /** Tells that a plan that waits is another one now. */
  held(id: RunId): void;
}

const TEXT =
  'pattern: pipeline\nsteps:\n  a:\n    title: first\n    task: Do this.\n  b:\n    title: second\n    task: Do that.\n    needs: [a]\n';

/** Plans of two steps for runs that wait; for others one step for each agent, each after the one before. */
export const fakePlanning = (parts: FakePlanningParts): PlanningFacade => {
  const texts = new Map<RunId, string>();
  const textOf = (id: RunId): string => texts.get(id) ?? TEXT;
  const plan = (id: RunId): PlanView => planOf(parts.run(id), parts.agents(id), textOf(id));
  return {
    ...noPlanning,
    showPlan: async (id) => {
      if (parts.run(id).state === 'planning') throw new UserError('wrong-state', 'There is no plan yet.');
      return plan(id);
    },
    changePlan: async (input) => {
      const text = 'yaml' in input ? input.yaml : textOf(input.run).replace(/ {2}b:[\s\S]*/, '');
      const bad = text.split('\n').findIndex((line) => line.includes('taks'));
      if (bad >= 0)
        throw new UserError(
          'bad-input',
          `The plan has faults and was left as it is:\n${bad + 1}:5: there is no "taks" here.`,
        );
      texts.set(input.run, text);
      parts.held(input.run);
      return {
        plan: plan(input.run),
        changes: ['yaml' in input ? 'The plan was changed by hand.' : '2 workers became 1.'],
      };
    },
    approvePlan: async (id) => parts.begin(id),
    waitPlanned: async (id) => parts.run(id),
    forecast: async (id) => {
      const soon = { p50: Date.now() + 120_000, p90: Date.now() + 240_000 };
      const remaining = {
        agents: 2,
        tokens: { p50: 40_000, p90: 60_000 },
        wallMs: { p50: 120_000, p90: 240_000 },
        eta: soon,
        basis: 'prior' as const,
      };
      return {
        run: id,
        forecast: forecastOf(2),
        remaining: parts.run(id).state === 'running' ? remaining : null,
        summary: '',
      };
    },
    checkWorkflow: async (text) => {
      const { ok, faults } = parseWorkflow(text, new Set());
      return { ok, faults };
    },
  };
};

const planOf = (run: RunView, agents: readonly AgentView[], yaml: string): PlanView => {
  const titles = [...yaml.matchAll(/title: (.*)/g)].map((match) => match[1] ?? '');
  const waits = run.state === 'planned';
  const steps = waits
    ? titles.map((title, index) => stepOf(`s${index}`, title, index > 0 ? [`s${index - 1}`] : [], null))
    : agents.map((agent, index) => ({
        ...stepOf(`s${index}`, agent.name, index > 0 ? [`s${index - 1}`] : [], agent),
        // One of each kind of step that did not just succeed or fail.
        ...(index === 2 && { state: 'omitted' as const }),
        ...(index === 3 && { undone: { state: 'done' as const, result: 'reverted' } }),
      }));
  return {
    run: run.run,
    task: run.task,
    state: run.state,
    pattern: 'pipeline',
    because: 'One step needs the other.',
    by: 'the model',
    complexity: null,
    cachedAt: null,
    steps,
    cannotUndo: [],
    forecast: forecastOf(steps.length),
    yaml,
  };
};

const stepOf = (key: string, title: string, needs: readonly string[], agent: AgentView | null): StepView => ({
  key,
  title,
  task: `Do ${title}.`,
  role: 'worker',
  tier: 'worker',
  needs,
  parent: null,
  temperature: 0.7,
  level: 1,
  state: agent ? 'running' : 'pending',
  agent: agent?.agent ?? null,
  attempt: 1,
  tokens: 1000,
  pattern: 'pipeline',
  when: null,
  server: null,
  model: null,
  skills: [],
  undo: null,
  undone: null,
});

const forecastOf = (agents: number): Forecast => ({
  agents,
  levels: [{ level: 1, name: 'worker', agents, tokens: { p50: 1000 * agents, p90: 2000 * agents } }],
  tokens: { p50: 1000 * agents, p90: 2000 * agents },
  wallMs: { p50: 60_000 * agents, p90: 120_000 * agents },
  disk: { worktrees: { p50: 1, p90: agents }, bytes: null },
  basis: 'prior',
  observations: 0,
  agentsBy: { history: 0, prior: agents, mixed: 0 },
  slots: 4,
  pastError: { tokens: null, wallMs: null },
  notes: [],
});
