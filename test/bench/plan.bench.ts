import { DISTRIBUTIONS, type Plan } from '../../mcp-server/domain/plan.ts';
import { checkSteps } from '../../mcp-server/planning/check-steps.ts';
import { complexity } from '../../mcp-server/planning/complexity.ts';
import { distributeSteps, measureBalance } from '../../mcp-server/planning/distribute-steps.ts';
import { fitSteps } from '../../mcp-server/planning/fit-steps.ts';
import { forecast } from '../../mcp-server/planning/forecast.ts';
import { forkJoin } from '../../mcp-server/planning/fork-join.ts';
import { parsePlan } from '../../mcp-server/planning/parse-plan.ts';
import { planOf } from '../../mcp-server/planning/patterns/plan-of.ts';
import { recommend } from '../../mcp-server/planning/recommend.ts';
import { rulePlan } from '../../mcp-server/planning/rule-plan.ts';
import { median, type Row, timed } from './part.ts';

const STEPS = 100;
const ROUNDS = 200;
const FAN_IN = 5;
const OPTIONS = { fanIn: FAN_IN, maxDepth: 3, maxAgents: 200, maxAgentsPerLevel: 200 };

const files = Array.from({ length: 2_000 }, (_, n) => `src/folder-${n % 40}/part-${n % 7}/file-${n}.ts`);
const items = Array.from({ length: STEPS }, (_, n) => `${n + 1}. Write tests for src/folder-${n % 40}, part ${n}`);
const task = `Test every part of this project. Keep to the style of the tests that are there.\n\n${items.join('\n')}`;
const answer = JSON.stringify({
  steps: items.map((item, n) => ({
    key: `part-${n}`,
    title: `part ${n}`,
    task: `${item}. Look at the code first. `.repeat(5),
    role: n % 3 === 0 ? 'tester' : 'worker',
    needs: n % 6 === 5 ? [`part-${n - 1}`, `part-${n - 2}`] : [],
  })),
});

const workersOf = (plan: Plan): number => plan.steps.filter(({ tier }) => tier === 'worker').length;

/** All that rules do: steps, their checks, the wished number of them, the pattern, the tiers. */
const ruled = (): Plan => {
  const steps = rulePlan({ task, files, maxSteps: STEPS });
  const checked = checkSteps(steps, { task, files });
  const fitted = fitSteps(checked.steps, { workers: null, maxSteps: STEPS, files });
  const { pattern } = recommend({ steps: fitted.steps, task });
  return planOf(pattern, fitted.steps, OPTIONS);
};
const planByRule = (): number => workersOf(ruled());

const FACTS = {
  slots: 8,
  budget: 10_000_000,
  checkoutBytes: 1_000_000,
  retries: 1,
  timeouts: { worker: null, synthesizer: null, executive: null },
};
const SERVERS = [
  { server: 'http://a', model: null, capabilities: ['tests'], slots: 4, busy: 0 },
  { server: 'http://b', model: null, capabilities: [], slots: 8, busy: 2 },
  { server: 'http://c', model: null, capabilities: ['docs'], slots: 2, busy: 0 },
];

/** The biggest load over the mean one: 1 is even. */
const balanceRows = (): readonly Row[] => {
  const plan = ruled();
  const random = {
    ...plan,
    steps: plan.steps.map((step, n) => ({ ...step, server: SERVERS[(n * 7) % 3]?.server ?? '' })),
  };
  const reference = measureBalance(random, SERVERS).ratio;
  return DISTRIBUTIONS.map((strategy) => ({
    name: `balance on three servers, ${strategy}`,
    unit: '×',
    value: distributeSteps(plan, SERVERS, strategy).balance.ratio,
    reference,
    against: 'the same number of steps to each',
  }));
};

const planFromAnswer = (): number => {
  const parsed = parsePlan(answer, { maxSteps: STEPS });
  if (!parsed.ok) throw new Error('The answer is no plan.');
  return forkJoin(parsed.steps, OPTIONS).steps.filter(({ tier }) => tier === 'worker').length;
};

const row = async (name: string, work: () => unknown, aim?: string): Promise<Row> => {
  await timed(20, work);
  return { name, unit: 'ms', value: median(await timed(ROUNDS, work)), ...(aim === undefined ? {} : { aim }) };
};

/** Time that planning takes without the model's own. */
export const benchPlan = async (): Promise<readonly Row[]> => {
  if (planByRule() !== STEPS || planFromAnswer() !== STEPS)
    throw new Error('A plan has not as many steps as were asked.');
  const plan = ruled();
  return [
    await row('complexity of a task', () => complexity(task, files), 'under 5'),
    await row(`plan by rule, ${STEPS} steps`, planByRule, 'under 50'),
    await row(`plan from a model's answer, ${STEPS} steps`, planFromAnswer),
    await row(`forecast of it`, () => forecast(plan, { observations: [], past: [] }, FACTS)),
    ...balanceRows(),
  ];
};
