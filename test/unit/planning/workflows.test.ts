import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PlanStep } from '../../../mcp-server/domain/plan.ts';
import { validatePlan } from '../../../mcp-server/planning/validate-plan.ts';
import { expandWorkflow } from '../../../mcp-server/planning/workflows/expand-workflow.ts';
import { faultLines, parseWorkflow } from '../../../mcp-server/planning/workflows/parse-workflow.ts';
import { planFromYaml, planToYaml, processorsInYaml } from '../../../mcp-server/planning/workflows/plan-yaml.ts';
import { workflowFromPlan } from '../../../mcp-server/planning/workflows/save-workflow.ts';
import { type Workflow, workflowJsonSchema } from '../../../mcp-server/planning/workflows/workflow.ts';

const media = join(import.meta.dirname, '../../../media');
const LIMITS = { maxDepth: 3, maxAgents: 60, maxAgentsPerLevel: 60, fanIn: 5 };
const GIVEN = {
  'backend-dev': { feature: 'a login' },
  tdd: { behaviour: 'it adds' },
  research: { question: 'why' },
  review: {},
  refactor: { target: 'src', aim: 'smaller files' },
  docs: { parts: 'src, test' },
} as const;

const bundled = (): ReadonlyMap<string, Workflow> => {
  const files = readdirSync(join(media, 'workflows'));
  const names = new Set(files.map((file) => file.replace('.yaml', '')));
  return new Map(
    files.map((file) => {
      const parsed = parseWorkflow(readFileSync(join(media, 'workflows', file), 'utf8'), names);
      assert.ok(parsed.ok, faultLines(file, parsed.faults));
      assert.deepEqual(parsed.faults, []);
      return [parsed.workflow.name, parsed.workflow];
    }),
  );
};

const parsed = (text: string): Workflow => {
  const result = parseWorkflow(text);
  assert.ok(result.ok, faultLines('text', result.faults));
  return result.workflow;
};

const stepsOf = (
  text: string,
  given: Record<string, string> = {},
  library: ReadonlyMap<string, Workflow> = new Map(),
) => {
  const expanded = expandWorkflow(parsed(text), given, library, LIMITS);
  assert.ok(expanded.ok, expanded.ok ? '' : expanded.problems.join('\n'));
  return expanded.plan.steps;
};

describe('a workflow file', () => {
  for (const [name, given] of Object.entries(GIVEN))
    it(`${name}, which comes with Coppice, becomes a plan that can be carried out`, () => {
      const library = bundled();
      const workflow = library.get(name);
      assert.ok(workflow);
      const expanded = expandWorkflow(workflow, given, library, LIMITS);
      assert.ok(expanded.ok);
      assert.deepEqual(validatePlan(expanded.plan, LIMITS), []);
      for (const step of expanded.plan.steps) assert.doesNotMatch(step.task, /\{\{/, step.key);
    });

  it('is the schema that the editor is given', () => {
    const file = JSON.parse(readFileSync(join(media, 'schemas/workflow.schema.json'), 'utf8'));
    assert.deepEqual(file, workflowJsonSchema(), 'Write it anew: node .tools/schemas.ts');
  });

  it('gets an error with line and column for each thing that is wrong', () => {
    const lines = (text: string): string => faultLines('w.yaml', parseWorkflow(text, new Set(['review'])).faults);
    const head = 'name: w\ndescription: d\nnodes:\n';
    assert.match(lines(`${head}  a:\n    promt: x\n`), /^w\.yaml:5:5: error: .*no "promt"/m);
    assert.match(
      lines(`${head}  a:\n    prompt: x\n    needs: [b]\n`),
      /^w\.yaml:6:13: error: .*"b", which is no node/m,
    );
    assert.match(lines(`${head}  a:\n    prompt: "{{what}}"\n`), /^w\.yaml:5:5: error: \{\{what\}\} is no parameter/m);
    assert.match(lines(`${head}  a:\n    title: t\n`), /^w\.yaml:4:3: error: a: it needs one of: prompt/m);
    assert.match(lines(`${head}  a:\n    workflow: missing\n`), /^w\.yaml:5:5: error: There is no workflow "missing"/m);
    assert.match(
      lines(`${head}  a: {prompt: x, needs: b}\n  b: {prompt: x, needs: a}\n`),
      /error: Nodes need each other in a circle/,
    );
    assert.match(lines(`${head}  a: {prompt: x, budget: 70}\n  b: {prompt: x, budget: 70}\n`), /140 percent/);
    assert.match(
      lines(`${head}  a: {prompt: x}\n  b: {prompt: x, when: {step: a, says: yes please}}\n`),
      /looks at "a", which does not come before it/,
    );
    assert.match(lines('name: w\n  description: d\n'), /^w\.yaml:1:7: error/m);
    assert.match(
      lines(`${head}  a: {pattern: pipeline, over: [x], stages: [{name: s}]}\n`),
      /stage s needs a prompt or a processor/,
    );
  });

  it('is no text that holds itself, or that is deeper than any workflow', () => {
    const head = 'name: w\ndescription: d\n';
    for (const text of [
      `${head}nodes: &a\n  x: {repeat: {atMost: 2}, nodes: *a}\n`,
      `${head}nodes:\n  x: {prompt: p, when: ${'{not: '.repeat(500)}{step: y, is: done}${'}'.repeat(500)}}\n`,
    ]) {
      const result = parseWorkflow(text);
      assert.ok(!result.ok);
      assert.match(result.faults[0]?.message ?? '', /nested more than 100 deep/);
    }
    const plan = planFromYaml(
      'steps:\n  a: {task: x, work: {kind: compute, processor: p, options: &o {o: *o}}}\n',
      LIMITS,
    );
    assert.ok(!plan.ok);
  });

  it('does not name nodes by numbers, which would change their order', () => {
    const text = 'name: w\ndescription: d\nnodes:\n  first: {prompt: x}\n  1: {prompt: y}\n';
    assert.match(faultLines('w', parseWorkflow(text).faults), /5:3: error: "1": .*step-1/);
  });

  it('is not rolled out beyond what can be carried out', () => {
    const loop = (inner: string): string => `{repeat: {atMost: 20}, nodes: {a: ${inner}}}`;
    const text = `name: w\ndescription: d\nnodes:\n  a: ${loop(loop(loop('{prompt: x}')))}\n`;
    const expanded = expandWorkflow(parsed(text), {}, new Map(), LIMITS);
    assert.ok(!expanded.ok);
    assert.match(expanded.problems[0] ?? '', /more than 5000 steps/);
  });

  it('never makes anything but plain data, and is not blown up by aliases', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
      .split('')
      .map((key, index) => `${key}: &${key} [${Array(9).fill(`*${'abcdefghij'[index]}`).join(',')}]`)
      .join('\n')}\n`;
    assert.equal(parseWorkflow(bomb).ok, false);
    assert.equal(parseWorkflow('name: !!js/function "x"\n').ok, false);
    assert.equal(parseWorkflow('').ok, false);
  });

  it('fills its parameters in, and refuses those that it does not know or that are missing', () => {
    const text = `name: w\ndescription: d\nparameters:\n  who: {required: true}\n  how: {choices: [fast, slow], default: slow}\nnodes:\n  a: {prompt: "greet {{who}} {{how}}"}\n`;
    assert.equal(stepsOf(text, { who: 'Ann' })[0]?.task, 'greet Ann slow');
    const missing = expandWorkflow(parsed(text), { whom: 'Ann', how: 'never' }, new Map(), LIMITS);
    assert.ok(!missing.ok);
    assert.match(
      missing.problems.join('\n'),
      /no parameter "whom"[^]*"who" must be given[^]*must be one of: fast, slow/,
    );
  });

  it('gives budgets as they are said, and shares the rest among the others', () => {
    const steps = stepsOf(
      'name: w\ndescription: d\nnodes:\n  a: {prompt: x, budget: 60}\n  b: {prompt: x}\n  c: {prompt: x}\n',
    );
    assert.deepEqual(
      steps.map(({ weight }) => weight),
      [60, 20, 20],
    );
  });
});

describe('a loop of a workflow', () => {
  const LOOP = `name: w
description: d
nodes:
  start: {prompt: s}
  loop:
    needs: [start]
    repeat: {atMost: 3, until: {step: check, says: all good}}
    nodes:
      work: {prompt: "round {{round}}"}
      check: {prompt: c, needs: [work]}
  end: {prompt: e, needs: [loop]}
`;

  it('is rolled out to so many rounds as it may have, each after the one before', () => {
    const steps = stepsOf(LOOP);
    const byKey = new Map(steps.map((step) => [step.key, step]));
    assert.equal(steps.length, 2 + 3 * 2 + 1);
    assert.equal(byKey.get('loop.2-work')?.task, 'round 2');
    assert.deepEqual(byKey.get('loop.1-work')?.needs, ['start']);
    assert.deepEqual(byKey.get('loop.2-work')?.needs, ['loop.1-check']);
    assert.deepEqual(byKey.get('loop.result')?.needs, ['loop.1-check', 'loop.2-check', 'loop.3-check']);
    assert.deepEqual(byKey.get('end')?.needs, ['loop.result']);
  });

  it('omits every round after the one in which its condition held', () => {
    const third = stepsOf(LOOP).find(({ key }) => key === 'loop.3-work');
    assert.deepEqual(third?.when, {
      all: [{ not: { step: 'loop.2-check', is: 'omitted' } }, { not: { step: 'loop.2-check', says: 'all good' } }],
    });
  });
});

describe('a condition inside of a node', () => {
  const NODES = `  first: {prompt: p}
  l:
    needs: first
    repeat: {atMost: 2, until: {step: check, says: good}}
    nodes:
      check: {prompt: c}
      deep:
        needs: check
        pattern: saga
        nodes:
          a: {prompt: a, when: {all: [{step: check, is: done}, {step: first, is: done}]}}
`;
  const asked = (steps: readonly PlanStep[], key: string) => steps.find((step) => step.key === key)?.needs;

  it('looks at what comes before that node, in its own round', () => {
    const steps = stepsOf(`name: w\ndescription: d\nnodes:\n${NODES}`);
    assert.deepEqual(validatePlan({ steps }, LIMITS), []);
    assert.deepEqual(asked(steps, 'l.1-deep.a'), ['l.1-check', 'first']);
    assert.ok(asked(steps, 'l.2-deep.a')?.includes('l.2-check'));
  });

  it('does so in a workflow that is part of another one', () => {
    const inner = parsed(`name: inner\ndescription: d\nnodes:\n${NODES}`);
    const text = 'name: w\ndescription: d\nnodes:\n  check: {prompt: other}\n  sub: {workflow: inner}\n';
    const steps = stepsOf(text, {}, new Map([['inner', inner]]));
    assert.deepEqual(asked(steps, 'sub.l.1-deep.a'), ['sub.l.1-check', 'sub.first']);
  });

  it('does not look at what comes after that node, since both would wait for each other', () => {
    const text = `name: w\ndescription: d\nnodes:\n  l:\n    repeat: {atMost: 2}\n    nodes:\n      in: {prompt: x, when: {step: later, is: done}}\n  later: {prompt: y, needs: l}\n`;
    assert.match(faultLines('w', parseWorkflow(text).faults), /7:23: error: in: .*"later", which does not come before/);
  });
});

describe('a workflow in a workflow', () => {
  const INNER = parsed(
    'name: inner\ndescription: d\nparameters:\n  what: {required: true}\nnodes:\n  a: {prompt: "do {{what}}"}\n  b: {prompt: y, needs: a}\n',
  );
  const outer = (given: string): string =>
    `name: w\ndescription: d\nparameters:\n  thing: {default: tea}\nnodes:\n  first: {prompt: x}\n  sub: {workflow: inner, with: ${given}, needs: first}\n  last: {prompt: z, needs: sub}\n`;

  it('stands in its place, with its own parameters', () => {
    const steps = stepsOf(outer('{what: "{{thing}}"}'), {}, new Map([['inner', INNER]]));
    assert.deepEqual(
      steps.map(({ key, needs }) => [key, ...needs]),
      [['first'], ['sub.a', 'first'], ['sub.b', 'sub.a'], ['last', 'sub.b']],
    );
    assert.equal(steps[1]?.task, 'do tea');
  });

  it('that uses itself is refused in words', () => {
    const self = parsed('name: w\ndescription: d\nnodes:\n  a: {workflow: w}\n');
    const expanded = expandWorkflow(self, {}, new Map([['w', self]]), LIMITS);
    assert.ok(!expanded.ok);
    assert.match(expanded.problems[0] ?? '', /nested more than 5 deep/);
  });
});

describe('a plan as a person edits it', () => {
  it('reads back as it was written', () => {
    const library = bundled();
    for (const [name, given] of Object.entries(GIVEN)) {
      const expanded = expandWorkflow(library.get(name) as Workflow, given, library, LIMITS);
      assert.ok(expanded.ok);
      const back = planFromYaml(planToYaml(expanded.plan), LIMITS);
      assert.ok(back.ok);
      const trimmed = expanded.plan.steps.map((step) => ({ ...step, task: step.task.trim() }));
      assert.deepEqual(back.plan.steps, trimmed);
    }
  });

  it('comes back after it was shrunk, with how much of the work each step is', () => {
    const step = stepsOf('name: w\ndescription: d\nnodes:\n  a: {prompt: look}\n', {})[0];
    assert.ok(step);
    const plan = { pattern: 'workflow', source: { by: 'person' }, steps: [{ ...step, parts: 3 }] } as const;
    const back = planFromYaml(planToYaml(plan), LIMITS);
    assert.ok(back.ok, JSON.stringify(back));
    assert.equal(back.plan.steps[0]?.parts, 3);
  });

  it('has conditions only on what comes before', () => {
    const messages = (when: string): readonly string[] => {
      const read = planFromYaml(
        `steps:\n  a: {task: x}\n  b: {task: x, needs: [a]}\n  c: {task: x, needs: [b], when: {step: ${when}, is: done}}\n  d: {task: x}\n`,
        LIMITS,
      );
      return read.ok ? [] : read.faults.map(({ message }) => message);
    };
    assert.deepEqual(messages('a'), []);
    assert.deepEqual(messages('d'), ['c: Its condition looks at d, which does not come before it.']);
    assert.deepEqual(messages('gone'), ['c: Its condition looks at gone, which does not come before it.']);
  });

  it('gets an error at its line when it cannot be carried out', () => {
    const read = planFromYaml('steps:\n  a:\n    task: x\n    needs: [gone]\n', LIMITS);
    assert.ok(!read.ok);
    assert.deepEqual(read.faults, [
      { line: 1, column: 2, severity: 'error', message: 'a: It needs gone, which is no step.' },
    ]);
  });
});

describe('a plan that names what is not there', () => {
  const text = `steps:
  a: {task: x}
  b: {task: x}
  c:
    task: x
    needs: [a]
    onFailure:
      a: continue
      b: continue
  d:
    task: y
    needs: [c]
    work:
      kind: compute
      processor: votes
`;
  const faults = (own: readonly string[] = []): readonly string[] => {
    const read = planFromYaml(text, LIMITS, new Set(own));
    assert.ok(!read.ok);
    return read.faults.map(({ line, column, message }) => `${line + 1}:${column + 1} ${message}`);
  };

  it('gets an error at the line of a processor that is unknown, and of a failure of what is not needed', () => {
    assert.equal(faults()[0], '9:7 c: it does not need "b".');
    assert.match(
      faults()[1] ?? '',
      /^15:7 d: there is no processor "votes"\. There are: concat, vote, .*; your own would be \.coppice\/processors\/votes\.mjs/,
    );
    assert.equal(faults().length, 2);
  });

  it("may name a processor of the person's own", () => {
    assert.deepEqual(processorsInYaml(text), ['votes']);
    assert.deepEqual(faults(['votes']), ['9:7 c: it does not need "b".']);
    assert.deepEqual(processorsInYaml('steps: ['), []);
  });
});

describe('a workflow made from a run', () => {
  it('is a good one whatever its saga was called, and lets no step run more than it might', () => {
    const steps = stepsOf(
      'name: w\ndescription: d\nnodes:\n  out: {pattern: saga, nodes: {a: {prompt: x, commands: off}, b: {prompt: y, commands: [make], urgency: 2}}}\n',
    );
    const again = parsed(
      workflowFromPlan({ pattern: 'workflow', source: { by: 'person' }, steps }, { task: 'Some task', name: 'w' }),
    );
    const expanded = expandWorkflow(again, {}, new Map(), LIMITS);
    assert.ok(expanded.ok);
    const bounds = (all: readonly PlanStep[]) => all.map(({ permissions, urgency }) => ({ permissions, urgency }));
    assert.deepEqual(bounds(expanded.plan.steps), bounds(steps));
    assert.equal(new Set(expanded.plan.steps.map(({ saga }) => saga)).size, 1);
  });

  it('has the task as its parameter, and makes the same plan again', () => {
    const task = 'tidy the {{shed}}';
    const steps = stepsOf(
      'name: w\ndescription: d\nparameters:\n  t: {required: true}\nnodes:\n  a: {prompt: "{{t}}: look"}\n  b: {prompt: "{{t}}: do", needs: a, when: {step: a, says: go}, quorum: 1}\n',
      { t: task },
    );
    const text = workflowFromPlan({ pattern: 'workflow', source: { by: 'person' }, steps }, { task, name: 'Tidy up!' });
    const again = parsed(text);
    assert.equal(again.name, 'tidy-up');
    const other = expandWorkflow(again, { task: 'sweep' }, new Map(), LIMITS);
    assert.ok(other.ok);
    assert.deepEqual(
      other.plan.steps.map((step) => step.task),
      ['sweep: look', 'sweep: do'],
    );
    assert.deepEqual(
      other.plan.steps.map(({ needs, when, join }) => ({ needs, when, join })),
      steps.map(({ needs, when, join }) => ({ needs, when, join })),
    );
  });
});
