import type { Forecast } from '../../mcp-server/domain/forecast.ts';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import type { PlanView, StepView } from '../../mcp-server/engine/planning-facade.ts';

/** A forecast by general experience alone. */
export const fakeForecast = (patch: Partial<Forecast> = {}): Forecast => ({
  agents: 3,
  levels: [
    { level: 1, name: 'synthesizer', agents: 1, tokens: { p50: 2000, p90: 5000 } },
    { level: 2, name: 'worker', agents: 2, tokens: { p50: 60_000, p90: 120_000 } },
  ],
  tokens: { p50: 62_000, p90: 121_000.4 },
  wallMs: { p50: 120_000, p90: 400_000 },
  disk: { worktrees: { p50: 2, p90: 3 }, bytes: { p50: 4_500_000, p90: 12_000_000 } },
  basis: 'prior',
  observations: 0,
  agentsBy: { history: 0, prior: 3, mixed: 0 },
  slots: 4,
  pastError: { tokens: null, wallMs: null },
  notes: [],
  ...patch,
});

/** A step of a plan that waits. */
export const fakeStep = (key: string, patch: Partial<StepView> = {}): StepView => ({
  key,
  title: key,
  task: `Do ${key}`,
  role: 'worker',
  tier: 'worker',
  needs: [],
  parent: null,
  temperature: 0.7,
  level: 1,
  state: 'pending',
  agent: null,
  attempt: 1,
  tokens: 12_000,
  pattern: 'fork-join',
  when: null,
  server: null,
  model: null,
  skills: [],
  undo: null,
  undone: null,
  ...patch,
});

/** Two workers below the one who joins their work. */
export const fakePlan = (patch: Partial<PlanView> = {}): PlanView => ({
  run: 'r-1' as RunId,
  task: 'Do it',
  state: 'planned',
  pattern: 'fork-join',
  because: 'two steps side by side.',
  by: 'the model',
  complexity: { level: 'moderate', because: '2 parts' },
  cachedAt: null,
  steps: [
    fakeStep('docs', { parent: 'join', level: 2 }),
    fakeStep('src', { parent: 'join', level: 2, needs: ['docs'] }),
    fakeStep('join', { tier: 'synthesizer', needs: ['docs', 'src'], tokens: 6000 }),
  ],
  cannotUndo: [],
  forecast: fakeForecast(),
  yaml: 'pattern: fork-join\n',
  ...patch,
});
