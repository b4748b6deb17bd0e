import assert from 'node:assert/strict';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { rulePlan } from '../../../mcp-server/planning/rule-plan.ts';
import { inOrder } from '../../../mcp-server/planning/steps.ts';
import {
  chooseStrategy,
  phasesFor,
  STRATEGIES,
  specialistFor,
  strategyNamed,
} from '../../../mcp-server/planning/strategies/choose.ts';
import { software } from '../../../mcp-server/planning/strategies/software.ts';

const LEVELS = ['atomic', 'simple', 'moderate', 'complex', 'enterprise'] as const;

describe('The strategy of a domain', () => {
  it('is told from the words of the task, with the reason', () => {
    for (const [task, name] of [
      ['Fix the crash of the parser when a file is empty', 'software'],
      ['Implement OAuth2 authentication with multiple providers', 'software'],
      ['Investigate the state of the art of CRDTs, with sources', 'research'],
      ['Research climate change effects on agriculture', 'research'],
      ['Analyze the Q3 financial report and its trends', 'analysis'],
      ['Analyze the impact of AI on healthcare', 'analysis'],
      ['Make a roadmap with milestones for the next year', 'planning'],
      ['Plan the launch of version 3', 'planning'],
      ['Hello', 'software'],
    ] as const)
      assert.equal(chooseStrategy(task, null).strategy.name, name, task);
    assert.equal(
      chooseStrategy('Investigate CRDTs, with sources', null).because,
      'research: the task begins with "Investigate" and says "sources"',
    );
  });

  it('is the one that a person named, and a name that none has is refused', () => {
    assert.equal(chooseStrategy('Fix the parser', ' Research').strategy.name, 'research');
    assert.throws(
      () => strategyNamed('cooking'),
      (error) => error instanceof UserError && error.code === 'bad-input' && /research/.test(error.message),
    );
  });

  it('has phases that grow with the task and need only what is there', () => {
    for (const strategy of STRATEGIES) {
      let before = 0;
      for (const level of LEVELS) {
        const phases = phasesFor(strategy, level);
        assert.ok(phases.length >= before, `${strategy.name} ${level}`);
        before = phases.length;
        const keys = phases.map(({ key }) => key);
        assert.ok(phases.every(({ needs }) => needs.every((need) => keys.includes(need))));
        assert.ok(inOrder(phases.map(({ key, needs }) => ({ key, needs }))));
      }
      assert.equal(phasesFor(strategy, 'simple').length, 0);
      assert.equal(before, strategy.phases.length);
      assert.ok(strategy.advice.join(' ').length < 400, 'the planner’s prompt must stay short');
    }
    assert.deepEqual(
      phasesFor(software, 'moderate').map(({ key, needs }) => [key, needs.join()]),
      [
        ['build', ''],
        ['test', 'build'],
      ],
    );
  });

  it('knows who should do what', () => {
    assert.deepEqual(specialistFor(software, 'Raise the test coverage'), { role: 'tester', capabilities: ['tests'] });
    assert.equal(specialistFor(software, 'Write the README').role, 'writer');
    assert.deepEqual(specialistFor(software, 'Add a column to the database').capabilities, ['sql']);
  });
});

describe('The plan by rule with a strategy', () => {
  it('makes the phases of the domain of a large task that is one piece', () => {
    const task = 'Implement OAuth2 authentication with multiple providers';
    const steps = rulePlan({ task, files: [], maxSteps: 10, strategy: software, level: 'complex' });
    assert.deepEqual(
      steps.map(({ key, role, needs }) => [key, role, needs.join()]),
      [
        ['design', 'architect', ''],
        ['build', 'worker', 'design'],
        ['test', 'tester', 'build'],
        ['document', 'writer', 'build'],
      ],
    );
    assert.ok(steps.every((step) => step.task.startsWith(`${task}\n\nYour part: `)));
    assert.equal(rulePlan({ task, files: [], maxSteps: 10, strategy: software, level: 'simple' }).length, 1);
    assert.equal(
      rulePlan({ task, files: [], maxSteps: 10, strategy: software, level: 'complex', workers: 1 }).length,
      1,
    );
  });

  it('looks at a question from as many sides as agents are wished for, and never invents more', () => {
    const task = 'Research climate change effects on agriculture';
    const research = strategyNamed('research');
    const of = (workers: number) =>
      rulePlan({ task, files: [], maxSteps: 50, strategy: research, level: 'moderate', workers });
    assert.deepEqual(
      of(5).map((step) => step.key),
      ['find-1', 'find-2', 'find-3', 'find-4', 'write'],
    );
    assert.equal(of(5).at(-1)?.needs.length, 4);
    assert.equal(new Set(of(5).map((step) => step.task)).size, 5);
    assert.equal(of(40).length, 7);
  });

  it('gives the parts of a list to those who are good at them', () => {
    const steps = rulePlan({
      task: 'Do this:\n- raise the test coverage of store\n- write the README',
      files: [],
      maxSteps: 9,
      strategy: software,
    });
    assert.deepEqual(
      steps.map(({ role }) => role),
      ['tester', 'writer'],
    );
  });
});
