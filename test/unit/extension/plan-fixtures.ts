import type { Forecast, PlanView, StepView } from '../../../extension/plans/operations.ts';

/** Costs of a small plan, from general experience alone. */
export const forecastRow = (more: Partial<Forecast> = {}): Forecast => ({
  agents: 3,
  levels: [
    { level: 1, name: 'synthesizer', agents: 1, tokens: { p50: 5000, p90: 9000 } },
    { level: 2, name: 'worker', agents: 2, tokens: { p50: 20_000, p90: 41_000 } },
  ],
  tokens: { p50: 25_000, p90: 50_000 },
  wallMs: { p50: 120_000, p90: 300_000 },
  disk: { worktrees: { p50: 2, p90: 3 }, bytes: { p50: 1_900_000, p90: 2_900_000 } },
  basis: 'prior',
  observations: 0,
  agentsBy: { history: 0, prior: 3, mixed: 0 },
  slots: 2,
  pastError: { tokens: null, wallMs: null },
  notes: ['No agents like these were observed here yet.'],
  ...more,
});

/** A worker's step that has not begun. */
export const stepRow = (key: string, more: Partial<StepView> = {}): StepView => ({
  key,
  title: `do ${key}`,
  task: `Do ${key}.`,
  role: 'worker',
  tier: 'worker',
  needs: [],
  parent: 'join',
  temperature: 0.7,
  level: 2,
  state: 'pending',
  agent: null,
  attempt: 1,
  tokens: 10_000,
  pattern: 'pipeline',
  when: null,
  server: null,
  model: null,
  skills: [],
  undo: null,
  undone: null,
  ...more,
});

/** Two workers, one after the other, and a synthesizer over them; it waits for a word. */
export const planRow = (more: Partial<PlanView> = {}): PlanView => ({
  run: 'r-1',
  task: 'Map this repository',
  state: 'planned',
  pattern: 'pipeline',
  because: 'One step needs the other.',
  by: 'the model',
  complexity: { level: 'simple', because: '2 parts' },
  cachedAt: null,
  steps: [
    stepRow('join', {
      title: 'join the work',
      tier: 'synthesizer',
      role: 'synthesizer',
      parent: null,
      level: 1,
      needs: ['a', 'b'],
      tokens: 30_000,
    }),
    stepRow('a'),
    stepRow('b', { needs: ['a'] }),
  ],
  cannotUndo: [],
  forecast: forecastRow(),
  yaml: 'pattern: pipeline\nsteps: {}\n',
  ...more,
});
