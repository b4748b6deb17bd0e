import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Complexity, Plan } from '../../../mcp-server/domain/plan.ts';
import { complexity, type TaskSize } from '../../../mcp-server/planning/complexity.ts';
import { fitSteps } from '../../../mcp-server/planning/fit-steps.ts';
import { planOf } from '../../../mcp-server/planning/patterns/plan-of.ts';
import { tiersFor } from '../../../mcp-server/planning/patterns/tiers.ts';
import { planningMessages, planSchema } from '../../../mcp-server/planning/plan-prompt.ts';
import { rulePlan } from '../../../mcp-server/planning/rule-plan.ts';
import { chooseStrategy } from '../../../mcp-server/planning/strategies/choose.ts';
import { type TeamBounds, teamFor } from '../../../mcp-server/planning/team.ts';

const LEVELS = ['atomic', 'simple', 'moderate', 'complex', 'enterprise'] as const;
const BOUNDS: TeamBounds = { maxDepth: 10, maxAgents: 200, maxAgentsPerLevel: 100, budget: 5_000_000, fanIn: 5 };
const sizeOf = (level: Complexity['level'], more: Partial<TaskSize> = {}): TaskSize => ({
  level,
  because: 'so it seems',
  named: 0,
  isOpen: false,
  asksToDivide: false,
  ...more,
});
const rangeOf = (size: TaskSize, bounds: Partial<TeamBounds> = {}) => {
  const { least, usual, most } = teamFor(size, { ...BOUNDS, ...bounds });
  return [least, usual, most];
};
const because = (size: TaskSize, bounds: Partial<TeamBounds> = {}): string =>
  teamFor(size, { ...BOUNDS, ...bounds }).because;

const files = ['README.md', 'docs/a.md', 'src/store/a.ts', 'src/store/b.ts', 'src/inference/c.ts', 'test/d.ts'];

describe('The team that a task is worth', () => {
  it('has as many workers as make its levels by the table of the tiers', () => {
    assert.deepEqual(
      LEVELS.map((level) => rangeOf(sizeOf(level))),
      [
        [1, 1, 1],
        [2, 4, 4],
        [5, 9, 9],
        [10, null, 100],
        [10, null, 100],
      ],
    );
    const levelsWith = (workers: number): number => {
      const { synthesizers, executives } = tiersFor(workers, { fanIn: 5, maxDepth: 10 });
      return 1 + (synthesizers > 0 ? 1 : 0) + executives;
    };
    for (const [level, levels] of [
      ['simple', 1],
      ['moderate', 2],
      ['complex', 3],
    ] as const) {
      const [least, , most] = rangeOf(sizeOf(level));
      assert.deepEqual([levelsWith(least ?? 0), levelsWith(most ?? 0)], [levels, levels], level);
    }
    assert.deepEqual(rangeOf(sizeOf('simple'), { fanIn: 3 }), [2, 2, 2]);
    assert.deepEqual(rangeOf(sizeOf('moderate'), { fanIn: 10 }), [10, 19, 19]);
  });

  it('has room for all that the task names, and for what it leaves open', () => {
    assert.deepEqual(rangeOf(sizeOf('moderate', { named: 12 })), [5, 12, 12]);
    assert.deepEqual(rangeOf(sizeOf('simple', { isOpen: true })), [2, 4, 100]);
    assert.deepEqual(rangeOf(sizeOf('atomic', { named: 3 })), [1, 1, 1]);
  });

  it('stays within agents, agents of a level and the budget, and says so', () => {
    assert.deepEqual(rangeOf(sizeOf('moderate'), { maxAgentsPerLevel: 3 }), [3, 3, 3]);
    assert.deepEqual(rangeOf(sizeOf('moderate'), { maxAgents: 7 }), [5, 5, 5]);
    assert.deepEqual(rangeOf(sizeOf('complex'), { budget: 48_000 }), [5, null, 5]);
    assert.deepEqual(rangeOf(sizeOf('complex'), { maxAgents: 1 }), [1, null, 1]);
    assert.match(because(sizeOf('complex'), { budget: 48_000 }), /: 10 or more workers, of which the budget leaves 5/);
  });

  it('is told in a sentence', () => {
    assert.equal(because(sizeOf('atomic')), 'worth one agent');
    assert.equal(because(sizeOf('simple'), { maxDepth: 1 }), 'worth 1 level: 2 to 4 workers');
    assert.equal(because(sizeOf('complex'), { maxDepth: 3 }), 'worth 3 levels: 10 or more workers');
    assert.equal(because(sizeOf('complex'), { maxDepth: 2 }), 'worth 3 levels (2 allowed): 10 or more workers');
    assert.equal(
      because(sizeOf('moderate')),
      'worth 2 levels: 5 to 9 workers; agents may divide their parts down to level 3',
    );
    assert.equal(
      because(sizeOf('enterprise', { named: 1000 })),
      'worth 6 levels or more: 10 or more workers; agents may divide their parts down to level 10',
    );
  });

  it('lets agents divide their work one level further, or as far as the bounds go', () => {
    const reach = (level: Complexity['level'], maxDepth: number, more: Partial<TaskSize> = {}): number =>
      teamFor(sizeOf(level, more), { ...BOUNDS, maxDepth }).reach;
    assert.deepEqual(
      LEVELS.map((level) => reach(level, 10)),
      [2, 2, 3, 4, 10],
    );
    assert.deepEqual(
      LEVELS.map((level) => reach(level, 2)),
      [2, 2, 2, 2, 2],
    );
    assert.equal(reach('atomic', 1), 1);
    assert.equal(reach('simple', 6, { asksToDivide: true }), 6);
  });

  it('is what the planner is asked for, and what the schema bounds', () => {
    const ask = (size: TaskSize): string => {
      const team = teamFor(size, BOUNDS);
      const [, user] = planningMessages({ task: 'Do it', digest: '', maxSteps: team.most, team });
      return user?.content.split('\n\n')[1] ?? '';
    };
    assert.match(
      ask(sizeOf('moderate')),
      /^Make at most 9 steps\. The task seems moderate: make 5 to 9 steps, and fewer/,
    );
    assert.match(ask(sizeOf('complex')), /^Make at most 100 steps\. .*: make 10 or more steps, and fewer if/);
    assert.match(ask(sizeOf('simple', { isOpen: true })), /^Make at most 100 steps\. .*2 to 4 steps, more only where/);
    assert.match(JSON.stringify(planSchema(teamFor(sizeOf('simple'), BOUNDS).most)), /"steps":\{[^}]*"maxItems":4/);
  });
});

describe('Steps that nobody has wished a number of', () => {
  const step = (key: string, task = `Do ${key}`) => ({ key, title: key, task, role: 'worker', needs: [] });
  const six = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => step(key));
  const worth = { least: 2, most: 4, because: 'the task seems simple' };
  const fit = (steps: typeof six, more: Partial<typeof worth> = {}) =>
    fitSteps(steps, { workers: null, maxSteps: 50, files: [], worth: { ...worth, ...more } });

  it('are joined to what the task is worth, with all that they say', () => {
    const { steps, notes } = fit(six);
    assert.equal(steps.length, 4);
    assert.deepEqual(notes, ['6 steps became 4: the task seems simple.']);
    for (const { task } of six) assert.ok(steps.some((joined) => joined.task.includes(task)));
  });

  it('are split where they have parts of their own, and never made up', () => {
    assert.deepEqual(fit([step('a')]), { steps: [step('a')], notes: [] });
    const list = step('list', 'Do this:\n- one thing\n- another thing\n- a third thing');
    const { steps, notes } = fit([list], { least: 3 });
    assert.equal(steps.length, 3);
    assert.deepEqual(notes, ['1 step became 3 along their parts.']);
  });
});

const levelsIn = ({ steps }: Plan): number => {
  const parents = new Map(steps.map(({ key, parent }) => [key, parent]));
  const depthOf = (key: string): number => {
    let depth = 0;
    for (let at: string | null = key; at !== null; at = parents.get(at) ?? null) depth += 1;
    return depth;
  };
  return Math.max(...steps.map(({ key }) => depthOf(key)));
};

const WORDS =
  '- |\n|\n- |1. |Add |Research |store|docs/|, | and |map |all |. |Test |Migrate |30 pages |many files |the whole repository |database, API, UI, tests |Analyse: |ü';
const words = fc.constantFrom(...WORDS.split('|'));
const anyTask = fc.array(fc.oneof(words, fc.string({ maxLength: 5 })), { maxLength: 60 }).map((some) => some.join(''));
const anyBounds = fc.record({
  maxDepth: fc.integer({ min: 1, max: 6 }),
  maxAgents: fc.integer({ min: 1, max: 120 }),
  maxAgentsPerLevel: fc.integer({ min: 1, max: 50 }),
  budget: fc.integer({ min: 1000, max: 1_000_000 }),
  fanIn: fc.integer({ min: 2, max: 12 }),
});

describe('For any task and any settings', () => {
  it('the team is within the bounds, and the plan by rule has exactly the tiers of the table', () => {
    fc.assert(
      fc.property(anyTask, anyBounds, (task, bounds) => {
        const size = complexity(task, files);
        const team = teamFor(size, bounds);
        assert.ok(1 <= team.least && team.least <= team.most && team.most <= bounds.maxAgentsPerLevel);
        assert.ok(team.usual === null || (team.least <= team.usual && team.usual <= team.most));
        assert.ok(1 <= team.reach && team.reach <= bounds.maxDepth);
        const { strategy } = chooseStrategy(task, null);
        const maxAgents = Math.max(1, bounds.maxAgents - 1);
        const { least, most } = team;
        const found = rulePlan({ task, files, maxSteps: maxAgents, strategy, level: size.level, least });
        const worth = { least, most, because: 'so it seems' };
        const { steps } = fitSteps(found, { workers: null, maxSteps: maxAgents, files, worth });
        assert.ok(steps.length <= most);
        const plan = planOf('fork-join', steps, { ...bounds, maxAgents });
        const count = (tier: string): number => plan.steps.filter((step) => step.tier === tier).length;
        const tiers = tiersFor(steps.length, bounds);
        assert.deepEqual(
          [count('worker'), count('synthesizer'), count('executive')],
          [steps.length, tiers.synthesizers, tiers.executives],
        );
        assert.ok(plan.steps.length <= maxAgents && levelsIn(plan) <= bounds.maxDepth);
      }),
      { numRuns: 300 },
    );
  });
});
