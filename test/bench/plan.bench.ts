import { complexity } from '../../mcp-server/planning/complexity.ts';
import { forkJoin } from '../../mcp-server/planning/fork-join.ts';
import { parsePlan } from '../../mcp-server/planning/parse-plan.ts';
import { rulePlan } from '../../mcp-server/planning/rule-plan.ts';
import { median, type Row, timed } from './part.ts';

const STEPS = 60;
const ROUNDS = 200;
const FAN_IN = 5;
const OPTIONS = { fanIn: FAN_IN, maxDepth: 3, maxAgents: 100, maxAgentsPerLevel: 100 };

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

const planByRule = (): number =>
  forkJoin(rulePlan({ task, files, maxSteps: STEPS }), OPTIONS).steps.filter(({ tier }) => tier === 'worker').length;

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
  return [
    await row('complexity of a task', () => complexity(task, files), 'under 5'),
    await row(`plan by rule, ${STEPS} steps`, planByRule),
    await row(`plan from a model's answer, ${STEPS} steps`, planFromAnswer),
  ];
};
