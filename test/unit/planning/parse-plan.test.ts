import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Permissions } from '../../../mcp-server/domain/run.ts';
import { parsePlan } from '../../../mcp-server/planning/parse-plan.ts';
import { PLANNER_PROMPT, planningMessages, planSchema } from '../../../mcp-server/planning/plan-prompt.ts';
import { inOrder, type PlannedStep } from '../../../mcp-server/planning/steps.ts';
import { strategyNamed } from '../../../mcp-server/planning/strategies/choose.ts';

const good = (text: string | object, maxSteps = 10): { steps: readonly PlannedStep[]; faults: string } => {
  const parsed = parsePlan(typeof text === 'string' ? text : JSON.stringify(text), { maxSteps });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return { steps: parsed.steps, faults: parsed.faults.map((fault) => fault.message).join('\n') };
};
const bad = (text: string | object): string => {
  const parsed = parsePlan(typeof text === 'string' ? text : JSON.stringify(text), { maxSteps: 10 });
  assert.ok(!parsed.ok);
  return parsed.faults.map((fault) => fault.message).join('\n');
};
const raw = (key: string, needs: readonly string[] = []) => ({
  key,
  title: key,
  task: `do ${key}`,
  role: 'worker',
  needs,
});

describe('Reading a planner’s answer', () => {
  it('takes a plan as it was asked for', () => {
    const { steps, faults } = good({ steps: [raw('docs'), raw('src', ['docs'])] });
    assert.deepEqual(steps[1], { key: 'src', title: 'src', task: 'do src', role: 'worker', needs: ['docs'] });
    assert.equal(faults, '');
  });

  it('finds the plan behind reasoning, in a code fence, or as a bare list', () => {
    const json = JSON.stringify({ steps: [raw('a')] });
    const thought = `<think>Maybe {"steps": [{"task": "wrong"}]} or {not json} "</think>`;
    for (const text of [
      `${thought}\n${json}`,
      `Here it is:\n\`\`\`json\n${json}\n\`\`\`\nDone {}.`,
      JSON.stringify([raw('a')]),
    ])
      assert.deepEqual(
        good(text).steps.map((step) => step.task),
        ['do a'],
        text,
      );
  });

  it('refuses what holds no plan, also one that was cut off', () => {
    assert.match(bad('I cannot do that.'), /no JSON object with a list of steps/);
    assert.match(bad('{"steps": []}'), /no JSON object/);
    assert.match(bad(JSON.stringify({ steps: [raw('a'), raw('b')] }).slice(0, -5)), /no JSON object/);
    assert.match(bad({ steps: [{ key: 'a', title: ' ', task: '' }] }), /no step with a task/);
  });

  it('makes keys plain and distinct, and follows the needs to them', () => {
    const { steps } = good({
      steps: [
        raw('Übersicht schreiben!'),
        { ...raw('x'), key: 7 },
        { ...raw('x'), task: 'other', needs: ['Übersicht schreiben!', 7] },
        { task: 'no key' },
      ],
    });
    assert.deepEqual(
      steps.map((step) => step.key),
      ['ubersicht-schreiben', '7', 'x', 'step-4'],
    );
    assert.deepEqual(steps[2]?.needs, ['ubersicht-schreiben', '7']);
    const twice = good({ steps: [raw('a'), { ...raw('a'), task: 'other' }, raw('b', ['a'])] });
    assert.deepEqual(
      twice.steps.map((step) => step.key),
      ['a', 'a-2', 'b'],
    );
    assert.deepEqual(twice.steps[2]?.needs, ['a']);
  });

  it('drops needs that lead nowhere, and says so', () => {
    const { steps, faults } = good({ steps: [raw('a', ['a', 'ghost']), raw('b', ['a', 'a', 'A'])] });
    assert.deepEqual(
      steps.map((step) => step.needs),
      [[], ['a']],
    );
    assert.match(faults, /Needs itself[\s\S]*Needs ghost, which is no step/);
  });

  it('refuses a circle', () => {
    assert.match(bad({ steps: [raw('a', ['b']), raw('b', ['c']), raw('c', ['a'])] }), /circle/);
  });

  it('joins steps that say the same', () => {
    const { steps, faults } = good({
      steps: [raw('a'), { ...raw('b', ['c']), task: 'DO  a' }, raw('c'), raw('d', ['b'])],
    });
    assert.deepEqual(
      steps.map((step) => [step.key, step.needs.join()]),
      [
        ['a', 'c'],
        ['c', ''],
        ['d', 'a'],
      ],
    );
    assert.match(faults, /says the same|Says the same as a/);
  });

  it('joins what is beyond the wished number into the last step, in an order that works', () => {
    const { steps, faults } = good({ steps: [raw('a', ['c']), raw('b'), raw('c'), raw('d', ['a'])] }, 2);
    assert.equal(steps.length, 2);
    assert.ok(inOrder(steps));
    assert.equal(steps[0]?.key, 'c');
    assert.deepEqual(steps[1]?.needs, ['c']);
    assert.match(steps[1]?.task ?? '', /Do these 3 parts, one after another:\n1\. a: do a\n2\. b: do b\n3\. d: do d/);
    assert.match(faults, /4 steps are more than 2/);
  });

  it('bounds a task and a title, and takes any role as a plain word', () => {
    const { steps } = good({ steps: [{ task: `long ${'x'.repeat(9000)}`, role: 'Senior Tester!\nSystem:' }] });
    assert.ok((steps[0]?.task.length ?? 0) < 4200 && (steps[0]?.title.length ?? 0) <= 60);
    assert.equal(steps[0]?.role, 'senior-tester-system');
  });

  it('takes files, capabilities, skills, programs and the pattern as far as they are good', () => {
    const parsed = parsePlan(
      JSON.stringify({
        pattern: 'pipeline',
        steps: [
          {
            ...raw('a'),
            files: ['./src/a.ts', 'docs\\\\', '/etc/passwd', '../x', 'src/**', 'src/a.ts'],
            capabilities: ['SQL!', 'tests'],
            skills: ['PDF', 'ghost'],
            commands: ['npm test', '/usr/bin/git', 'rm -rf'],
          },
          { ...raw('b'), files: [], commands: [] },
          { ...raw('c'), files: { no: 'list' }, commands: ['npm', 'git', 'make'] },
        ],
      }),
      { maxSteps: 9, skills: ['pdf'], permissions: { commands: { allowed: ['npm', 'git', 'make'] } } },
    );
    assert.ok(parsed.ok);
    const [a, b, c] = parsed.steps;
    assert.equal(parsed.pattern, 'pipeline');
    assert.deepEqual(a?.files, ['src/a.ts', 'docs/', 'src/']);
    assert.deepEqual([a.capabilities, a.skills], [['sql', 'tests'], ['pdf']]);
    assert.deepEqual(a.permissions, { commands: { allowed: ['git', 'npm'] } });
    assert.deepEqual([b?.files, b?.permissions], [[], { commands: 'off' }]);
    assert.deepEqual([c?.files, c?.permissions], [undefined, undefined]);
    assert.match(JSON.stringify(parsed.faults), /ghost.*rm, which this run may not.*passwd.*\.\.\/x/);
  });

  it('never lets a step run more than its run', () => {
    const of = (commands: readonly string[], most: Permissions['commands']) => {
      const answer = JSON.stringify({ steps: [{ ...raw('a'), commands }] });
      const parsed = parsePlan(answer, { maxSteps: 9, permissions: { commands: most } });
      return parsed.ok ? parsed.steps[0]?.permissions : null;
    };
    assert.equal(of(['npm'], 'off'), undefined);
    assert.deepEqual(of(['npm'], 'any'), { commands: { allowed: ['npm'] } });
    assert.deepEqual(of(['curl'], { allowed: ['npm'] }), { commands: 'off' });
  });

  it('survives any text, and quickly', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom('{"steps":[', '{"task":"t","needs":["a"]}', ']}', '"', '{', '['),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const parsed = parsePlan(pieces.join(''), { maxSteps: 3 });
        if (parsed.ok) assert.ok(parsed.steps.length > 0 && parsed.steps.length <= 3 && inOrder(parsed.steps));
      }),
    );
    const start = performance.now();
    bad('{"a":['.repeat(30_000));
    assert.ok(performance.now() - start < 2000);
  });
});

describe('Asking for a plan', () => {
  it('gives the planner the task, the bound and the repository in this form', () => {
    const [system, user] = planningMessages({
      task: ' Map it ',
      digest: '- docs/ (12 files)\n- ./ (5 files)',
      maxSteps: 7,
    });
    assert.equal(system?.role, 'system');
    assert.match(system?.content ?? '', /^You plan\./);
    assert.match(
      user?.content ?? '',
      /^Task:\nMap it\n\nMake at most 7 steps\.\n\nRoles: worker, .*\n\nThe repository:\n- docs\/ \(12 files\)\n- \.\/ \(5 files\)$/,
    );
  });

  it('uses only what the server’s grammar enforces, and requires every field', () => {
    const text = JSON.stringify(planSchema(7));
    assert.doesNotMatch(text, /pattern|multipleOf|format|\$ref/);
    assert.match(text, /"maxItems":7/);
    assert.match(text, /"required":\["key","title","task","role","needs","files"\]/);
    assert.doesNotMatch(text, /"skills"|"commands"/);
  });

  it('offers skills, programs, a pattern and the roles of a domain only where there are any', () => {
    const offer = {
      strategy: strategyNamed('research'),
      skills: ['pdf', 'citations'],
      permissions: { commands: { allowed: ['npm', 'git'] } },
      pattern: true,
    };
    const schema = JSON.stringify(planSchema(7, offer));
    assert.match(schema, /"role":\{"type":"string","enum":\["researcher","analyst"/);
    assert.match(schema, /"skills":\{[^}]*"enum":\["pdf","citations"\]/);
    assert.match(schema, /"commands":\{[^}]*"enum":\["npm","git"\]/);
    assert.match(schema, /"pattern":\{"type":"string","enum":\["fork-join"/);
    const [system, user] = planningMessages({ task: 'x', digest: 'd', maxSteps: 9, workers: 4, ...offer });
    assert.equal(system?.content, PLANNER_PROMPT);
    assert.match(user?.content ?? '', /Make at most 4 steps, and as many if the task can be split so far/);
    assert.match(user?.content ?? '', /of: pdf, citations\./);
    assert.match(user?.content ?? '', /there are: npm, git\./);
    assert.match(user?.content ?? '', /This is research work/);
    assert.ok(PLANNER_PROMPT.length + (user?.content.length ?? 0) < 3200, 'local models need a short prompt');
    assert.match(
      JSON.stringify(planSchema(7, { permissions: { commands: 'any' } })),
      /"commands":\{"type":"array","maxItems":6,"items":\{"type":"string","min/,
    );
    assert.doesNotMatch(JSON.stringify(planSchema(7, { permissions: { commands: 'off' } })), /"commands"/);
  });
});
