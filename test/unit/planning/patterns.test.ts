import assert from 'node:assert/strict';
import type { Plan, PlanStep } from '../../../mcp-server/domain/plan.ts';
import { buildPlan } from '../../../mcp-server/planning/patterns/build.ts';
import { mappersFor } from '../../../mcp-server/planning/patterns/map-reduce.ts';
import { planOf } from '../../../mcp-server/planning/patterns/plan-of.ts';
import { askEach } from '../../../mcp-server/planning/patterns/scatter-gather.ts';
import type { Item, Part, PatternOptions } from '../../../mcp-server/planning/patterns/spec.ts';
import type { PlannedStep } from '../../../mcp-server/planning/steps.ts';
import { validatePlan } from '../../../mcp-server/planning/validate-plan.ts';

const roomy: PatternOptions = { fanIn: 5, maxDepth: 5, maxAgents: 1000, maxAgentsPerLevel: 1000 };

const step = (key: string, more: Partial<PlannedStep> = {}): PlannedStep => ({
  key,
  title: `title ${key}`,
  task: `task of ${key}`,
  role: 'worker',
  needs: [],
  ...more,
});
const steps = (count: number): readonly PlannedStep[] => Array.from({ length: count }, (_, n) => step(`s${n}`));
const items = (...names: readonly string[]): readonly Item[] =>
  names.map((name) => ({ key: name, title: name, text: `the ${name}` }));

const at = (plan: Plan, key: string): PlanStep =>
  plan.steps.find((one) => one.key === key) ??
  assert.fail(`no step ${key} among ${plan.steps.map((one) => one.key).join(' ')}`);

/** `key < need need` for each step. */
const drawn = (plan: Plan): readonly string[] =>
  plan.steps.map(({ key, needs }) => (needs.length === 0 ? key : `${key} < ${needs.join(' ')}`));

describe('Synthesis tiers', () => {
  it('follow the table for every number of workers and every fan-in', () => {
    for (const fanIn of [2, 3, 5, 8])
      for (let workers = 1; workers <= 60; workers += 1) {
        const plan = planOf('fork-join', steps(workers), { ...roomy, fanIn });
        const tiers = (['worker', 'synthesizer', 'executive'] as const).map(
          (tier) => plan.steps.filter((one) => one.tier === tier).length,
        );
        const synthesizers = Math.floor(workers / fanIn);
        assert.deepEqual(tiers, [workers, synthesizers, synthesizers > 1 ? 1 : 0], `${workers} workers, ${fanIn} each`);
        const warmth = { worker: 0.7, synthesizer: 0.4, executive: 0.2 };
        for (const one of plan.steps) assert.equal(one.temperature, warmth[one.tier as keyof typeof warmth]);
        assert.deepEqual(validatePlan(plan, roomy), []);
      }
  });

  it('ask for what is missing, and for sources at the top', () => {
    const plan = planOf('fork-join', steps(10), roomy);
    assert.match(at(plan, 'synthesis-1').task, /say in your report what is missing/);
    assert.match(at(plan, 'executive').task, /name for each thing that you say whose report it comes from/);
  });

  it('leave what a step says of itself as it is', () => {
    const own = step('s0', {
      temperature: 0,
      weight: 3,
      server: 'http://a',
      model: 'm',
      skills: ['x'],
      capabilities: ['sql'],
      retries: 2,
      timeoutMs: 5000,
      urgency: 4,
      files: ['a/'],
      toleratesFailure: true,
      permissions: { commands: 'off' },
    });
    const plan = planOf('fork-join', [own, ...steps(6).slice(1)], roomy);
    assert.deepEqual(at(plan, 's0'), { ...own, tier: 'worker', parent: 'synthesis-1' });
  });
});

describe('Map-reduce', () => {
  it('has a mapper for each slice and a reducer that is an agent above them', () => {
    const mappers = mappersFor(items('a', 'b', 'c'), {
      title: 'count',
      task: 'Count lines in {{item}}.',
      role: 'counter',
    });
    const plan = buildPlan({ pattern: 'map-reduce', mappers, reduce: { by: 'merge', task: 'Give one table.' } }, roomy);
    assert.deepEqual(drawn(plan), ['a', 'b', 'c', 'merge < a b c']);
    assert.deepEqual(
      plan.steps.map((one) => one.parent),
      ['merge', 'merge', 'merge', null],
    );
    assert.equal(at(plan, 'b').task, 'Count lines in the b.');
    assert.equal(at(plan, 'b').title, 'count: b');
    assert.match(at(plan, 'merge').task, /Give one table\.[\s\S]*- count: c/);
    assert.equal(at(plan, 'merge').toleratesFailure, true);
    assert.equal(plan.pattern, 'map-reduce');
  });

  it('reduces by a processor beside the mappers, with its options', () => {
    const plan = planOf('map-reduce', steps(12), roomy, {
      reduce: { by: 'weighted-average', options: { weights: [1] } },
    });
    const reducer = at(plan, 'weighted-average');
    assert.deepEqual(reducer.work, { kind: 'compute', processor: 'weighted-average', options: { weights: [1] } });
    assert.equal(reducer.needs.length, 12);
    assert.ok(plan.steps.every((one) => one.parent === null));
  });

  it('reduces in a tree, none of whose agents takes in more than the fan-in', () => {
    const plan = planOf('map-reduce', steps(23), roomy, { reduce: { by: 'merge', fanIn: 3 } });
    const reducers = plan.steps.filter((one) => one.tier !== 'worker');
    assert.equal(reducers.length, 8 + 3 + 1);
    assert.ok(reducers.every((one) => one.needs.length === 2 || one.needs.length === 3));
    assert.deepEqual(
      plan.steps.filter((one) => one.tier === 'executive').map((one) => one.key),
      ['merge'],
    );
    assert.deepEqual([...new Set(plan.steps.map((one) => one.temperature))], [0.7, 0.4, 0.2, 0.1]);
  });

  it('puts slices together when there are to be fewer mappers', () => {
    const mappers = mappersFor(items('a', 'b', 'c', 'd', 'e'), {
      task: 'Read it.\n\nSay what {{item}} is.',
      role: 'reader',
    });
    const plan = buildPlan({ pattern: 'map-reduce', mappers, most: 2, reduce: { by: 'concat' } }, roomy);
    assert.deepEqual(drawn(plan), ['a', 'c', 'concat < a c']);
    assert.match(at(plan, 'c').task, /^Read it\.\n\nDo these 3 parts[\s\S]*the c[\s\S]*the d[\s\S]*the e/);
    assert.equal(at(plan, 'c').parts, 3);
  });

  it('needs nobody to join one result, but may compute from it', () => {
    assert.deepEqual(drawn(planOf('map-reduce', steps(1), roomy)), ['s0']);
    assert.deepEqual(drawn(planOf('map-reduce', steps(1), roomy, { reduce: { by: 'count' } })), ['s0', 'count < s0']);
  });
});

describe('Pipeline', () => {
  const stages: readonly PlannedStep[] = [
    step('parse', { task: 'Parse {{item}}.' }),
    step('check', { work: { kind: 'compute', processor: 'check', options: { strict: true } } }),
    step('store'),
  ];

  it('sends every item through all stages, each on its own', () => {
    const plan = buildPlan({ pattern: 'pipeline', items: items('a', 'b'), stages, gather: null }, roomy);
    assert.deepEqual(drawn(plan), [
      'a.parse',
      'a.check < a.parse',
      'a.store < a.check',
      'b.parse',
      'b.check < b.parse',
      'b.store < b.check',
    ]);
    assert.equal(at(plan, 'a.parse').task, 'Parse the a.');
    assert.equal(at(plan, 'b.store').task, 'task of store\n\nThis is about: the b');
    assert.deepEqual(at(plan, 'b.check').work, {
      kind: 'compute',
      processor: 'check',
      options: { item: 'the b', strict: true },
    });
  });

  it('lets no more items in than are allowed, and does not stop for one that failed', () => {
    const spec = {
      pattern: 'pipeline' as const,
      items: items('a', 'b', 'c'),
      stages: stages.slice(0, 2),
      gather: null,
    };
    const plan = buildPlan({ ...spec, inFlight: 2 }, roomy);
    assert.deepEqual(at(plan, 'c.parse').needs, ['a.check']);
    assert.deepEqual(at(plan, 'c.parse').onFailure, { 'a.check': 'continue' });
    assert.deepEqual(at(plan, 'b.parse').needs, []);
  });

  it('joins many items by the table, and runs its stages once where there are none', () => {
    const names = Array.from({ length: 10 }, (_, n) => `i${n}`);
    const plan = buildPlan({ pattern: 'pipeline', items: items(...names), stages }, roomy);
    assert.equal(plan.steps.filter((one) => one.tier === 'synthesizer').length, 2);
    assert.deepEqual(
      at(plan, 'synthesis-1').needs,
      names.slice(0, 5).map((name) => `${name}.store`),
    );
    assert.equal(at(plan, 'i0.parse').parent, 'synthesis-1');
    assert.deepEqual(drawn(planOf('pipeline', stages, roomy)), ['parse', 'check < parse', 'store < check']);
  });

  it('gathers by a processor when it is asked to', () => {
    const plan = buildPlan(
      { pattern: 'pipeline', items: items('a', 'b'), stages, gather: { by: 'json-merge' } },
      roomy,
    );
    assert.deepEqual(at(plan, 'json-merge').needs, ['a.store', 'b.store']);
  });

  it('asks about the same item in a condition', () => {
    const conditional = [step('test'), step('mend', { when: { step: 'test', is: 'failed' } })];
    const plan = buildPlan({ pattern: 'pipeline', items: items('a'), stages: conditional, gather: null }, roomy);
    assert.deepEqual(at(plan, 'a.mend').when, { step: 'a.test', is: 'failed' });
    assert.deepEqual(at(plan, 'a.mend').onFailure, { 'a.test': 'continue' });
  });
});

describe('Scatter-gather', () => {
  const question = step('why', { task: 'Why is it slow?' });

  it('asks the same of several models, and waits for a quorum or a time', () => {
    const voices = askEach(question, [
      { model: 'a' },
      { model: 'b', view: 'as its operator' },
      { server: 'http://c', role: 'critic' },
    ]);
    const plan = buildPlan(
      { pattern: 'scatter-gather', voices, quorum: 2, withinMs: 9000, gather: { by: 'best-of' } },
      roomy,
    );
    assert.deepEqual(drawn(plan), ['why-1', 'why-2', 'why-3', 'best-of < why-1 why-2 why-3']);
    assert.deepEqual(at(plan, 'best-of').join, { quorum: 2, withinMs: 9000 });
    assert.equal(at(plan, 'best-of').temperature, 0.2);
    assert.deepEqual(
      [at(plan, 'why-1').model, at(plan, 'why-3').server, at(plan, 'why-3').role],
      ['a', 'http://c', 'critic'],
    );
    assert.match(at(plan, 'why-2').task, /^Why is it slow\?\n\n.*as its operator\n\n.*leave the files as they are/);
    assert.equal(at(plan, 'why-1').parent, 'best-of');
  });

  it('asks for an answer that a vote can read', () => {
    const plan = planOf('scatter-gather', [question], roomy, { gather: { by: 'vote', options: { tie: 'fail' } } });
    assert.equal(plan.steps.filter((one) => one.key.startsWith('why-')).length, 3);
    assert.match(at(plan, 'why-1').task, /End your report with one line.*"Answer: …"/);
    assert.equal(at(plan, 'vote').join, undefined);
    assert.deepEqual(at(plan, 'vote').work, { kind: 'compute', processor: 'vote', options: { tie: 'fail' } });
  });

  it('never waits for more answers than it asks for', () => {
    const voices = askEach(question, [{}, {}]);
    const plan = buildPlan({ pattern: 'scatter-gather', voices, quorum: 9, gather: { by: 'merge' } }, roomy);
    assert.deepEqual(at(plan, 'merge').join, { quorum: 2, withinMs: null });
  });

  it('may ask each for a whole pattern, which then votes once', () => {
    const inner: Part = {
      key: 'look',
      title: 'look',
      needs: [],
      spec: { pattern: 'fork-join', parts: [step('x'), step('y')] },
    };
    const plan = buildPlan(
      { pattern: 'scatter-gather', voices: askEach(inner, [{ model: 'a' }, { model: 'b' }]), gather: { by: 'vote' } },
      roomy,
    );
    assert.deepEqual(at(plan, 'vote').needs.length, 2);
    assert.equal(at(plan, 'look-1.x').model, 'a');
    assert.equal(at(plan, 'look-2.y').model, 'b');
    assert.equal(at(plan, 'look-1.x').pattern, 'fork-join');
  });
});

describe('Saga', () => {
  const deploy = [
    step('build'),
    step('deploy', { undo: { kind: 'command', argv: ['kubectl', 'rollout', 'undo'] } }),
    step('mail', { undo: { kind: 'none', reason: 'a mail cannot be called back' } }),
  ];

  it('goes step by step, in one saga, and takes back what is done when one fails', () => {
    const plan = planOf('saga', deploy, roomy);
    assert.deepEqual(drawn(plan), ['build', 'deploy < build', 'mail < deploy']);
    assert.deepEqual(
      plan.steps.map((one) => [one.saga, one.onFailure]),
      [
        ['saga', undefined],
        ['saga', { build: 'compensate' }],
        ['saga', { deploy: 'compensate' }],
      ],
    );
    assert.deepEqual(at(plan, 'mail').undo, deploy[2]?.undo);
  });

  it('may go beside another, each for itself', () => {
    const spec = { pattern: 'saga' as const, parts: deploy };
    const plan = buildPlan(
      {
        pattern: 'fork-join',
        parts: [
          { key: 'east', title: 'east', needs: [], spec },
          { key: 'west', title: 'west', needs: [], spec: { ...spec, name: 'roll-out' } },
        ],
      },
      roomy,
    );
    assert.deepEqual([...new Set(plan.steps.map((one) => one.saga))], ['east.saga', 'west.roll-out']);
    assert.deepEqual(at(plan, 'west.mail').onFailure, { 'west.deploy': 'compensate' });
    assert.equal(at(plan, 'west.build').needs.length, 0);
  });

  it('takes a saga inside it as a part of its own, and lets what tolerates failure tolerate it', () => {
    const inner: Part = {
      key: 'data',
      title: 'data',
      needs: [],
      spec: { pattern: 'saga', parts: [step('copy'), step('switch')] },
    };
    const checks: Part = {
      key: 'checks',
      title: 'checks',
      needs: [],
      spec: { pattern: 'map-reduce', mappers: steps(2), reduce: { by: 'count' } },
    };
    const plan = buildPlan({ pattern: 'saga', name: 'move', parts: [inner, checks, step('tell')] }, roomy);
    assert.ok(plan.steps.every((one) => one.saga === 'move'));
    assert.deepEqual(at(plan, 'checks.s0').onFailure, { 'data.switch': 'compensate' });
    assert.equal(at(plan, 'checks.count').onFailure, undefined);
    assert.deepEqual(at(plan, 'tell').needs, ['checks.count']);
  });

  it('stays undoable when its steps are joined', () => {
    const two = buildPlan({ pattern: 'saga', parts: deploy }, { ...roomy, maxAgents: 2 });
    assert.deepEqual(
      two.steps.map((one) => one.undo?.kind),
      [undefined, 'none'],
    );
    const able = deploy.slice(0, 2);
    const one = buildPlan({ pattern: 'saga', parts: able }, { ...roomy, maxAgents: 1 }).steps[0];
    assert.deepEqual(one?.undo, {
      kind: 'agent',
      task: 'Undo these, in this order:\n1. title deploy: run kubectl rollout undo\n2. title build: take its changes back',
    });
    assert.equal(one?.saga, 'saga');
  });
});

describe('Patterns in patterns', () => {
  const three: Part = {
    key: 'three',
    title: 'three',
    needs: ['first'],
    spec: { pattern: 'workflow', parts: [step('a'), step('b', { needs: ['a'] }), step('c')] },
  };

  it('begin when what they need is settled, and are needed by their ends', () => {
    const plan = buildPlan(
      {
        pattern: 'workflow',
        parts: [step('first'), three, step('last', { needs: ['three'], onFailure: { three: 'continue' } })],
      },
      roomy,
    );
    assert.deepEqual(drawn(plan), [
      'first',
      'three.a < first',
      'three.b < three.a',
      'three.c < first',
      'last < three.b three.c',
    ]);
    assert.deepEqual(at(plan, 'last').onFailure, { 'three.b': 'continue', 'three.c': 'continue' });
  });

  it('are omitted as a whole, asked about as a whole, and weigh what they are told to', () => {
    const plan = buildPlan(
      {
        pattern: 'workflow',
        parts: [
          step('first'),
          { ...three, needs: [], when: { step: 'first', says: 'go' }, weight: 6 },
          step('last', { when: { not: { step: 'three', is: 'done' } } }),
        ],
      },
      roomy,
    );
    for (const key of ['three.a', 'three.b', 'three.c']) {
      assert.deepEqual(at(plan, key).when, { step: 'first', says: 'go' });
      assert.equal(at(plan, key).weight, 2);
    }
    assert.deepEqual(at(plan, 'three.a').needs, ['first']);
    assert.deepEqual(at(plan, 'last').needs, ['three.b', 'three.c']);
    assert.deepEqual(at(plan, 'last').when, {
      not: {
        all: [
          { step: 'three.b', is: 'done' },
          { step: 'three.c', is: 'done' },
        ],
      },
    });
  });

  it('take no key away from a step', () => {
    const plan = buildPlan({ pattern: 'workflow', parts: [step('first'), three, step('three.a')] }, roomy);
    assert.equal(at(plan, 'three.a').task, 'task of three.a');
    assert.equal(at(plan, 'three.a-2').task, 'task of a');
  });

  it('have one executive at the most, and hang from nobody but agents', () => {
    const inner = (key: string): Part => ({
      key,
      title: key,
      needs: [],
      spec: { pattern: 'fork-join', parts: steps(10) },
    });
    const plan = buildPlan(
      { pattern: 'map-reduce', mappers: [inner('x'), inner('y')], reduce: { by: 'merge' } },
      roomy,
    );
    assert.deepEqual(
      plan.steps.filter((one) => one.tier === 'executive'),
      [],
    );
    assert.equal(at(plan, 'x.executive').role, 'synthesizer');
    assert.equal(at(plan, 'x.executive').parent, 'merge');
    assert.deepEqual(
      ['x.s0', 'x.synthesis-1', 'x.executive', 'merge'].map((key) => at(plan, key).temperature),
      [0.7, 0.4, 0.2, 0.1],
    );
  });

  it('hang higher where there are too few levels', () => {
    const inner: Part = {
      key: 'x',
      title: 'x',
      needs: [],
      spec: { pattern: 'map-reduce', mappers: steps(3), reduce: { by: 'merge' } },
    };
    const spec = { pattern: 'map-reduce' as const, mappers: [inner, step('y')], reduce: { by: 'merge' } };
    const plan = buildPlan(spec, { ...roomy, maxDepth: 2 });
    assert.deepEqual(validatePlan(plan, { ...roomy, maxDepth: 2 }), []);
    assert.deepEqual(
      ['x.s0', 'x.merge', 'y', 'merge'].map((key) => at(plan, key).parent),
      ['merge', 'merge', 'merge', null],
    );
  });

  it('become single steps before what stands at the top is joined', () => {
    const inner: Part = {
      key: 'x',
      title: 'the x',
      needs: ['y'],
      spec: { pattern: 'pipeline', items: items('a', 'b'), stages: [step('p'), step('q')] },
    };
    const plan = buildPlan(
      { pattern: 'workflow', parts: [step('y'), inner, step('z', { needs: ['x'] })] },
      { ...roomy, maxAgents: 3 },
    );
    assert.deepEqual(drawn(plan), ['y', 'x < y', 'z < x']);
    assert.equal(at(plan, 'x').title, 'the x');
    assert.match(at(plan, 'x').task, /title p: task of p[\s\S]*title q: task of q[\s\S]*1\. the a\n2\. the b/);
    assert.equal(at(plan, 'x').parts, 4);
    assert.match(plan.because ?? '', /3 steps in place of 6/);
  });

  it('tell an agent in words what only the executor could do, when steps are joined', () => {
    const parts = [
      step('a'),
      step('b', { when: { step: 'a', says: 'yes' }, timeoutMs: 1000 }),
      step('c', { work: { kind: 'compute', processor: 'count', options: {} } }),
    ];
    const [one] = buildPlan({ pattern: 'workflow', parts }, { ...roomy, maxAgents: 1 }).steps;
    assert.match(one?.task ?? '', /Do this only if title a says "yes"/);
    assert.match(one?.task ?? '', /What "count" gives/);
    assert.deepEqual([one?.when, one?.work, one?.timeoutMs], [undefined, undefined, undefined]);
  });

  it('keep a condition that all joined steps share, and the strictest of their edges', () => {
    const when = { step: 'a', says: 'yes' };
    const parts = [
      step('a'),
      step('b', { needs: ['a'], when, onFailure: { a: 'continue' }, retries: 1, timeoutMs: 1000 }),
      step('c', { needs: ['a'], when, onFailure: { a: 'compensate' }, retries: 3, timeoutMs: 500 }),
    ];
    const plan = buildPlan({ pattern: 'workflow', parts }, { ...roomy, maxAgents: 2 });
    const joined = at(plan, 'b');
    assert.deepEqual(
      [joined.when, joined.onFailure, joined.retries, joined.timeoutMs],
      [when, { a: 'compensate' }, 3, 1500],
    );
  });
});
