import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { DISTRIBUTIONS, type Plan, type PlanStep } from '../../../mcp-server/domain/plan.ts';
import {
  distributeSteps,
  measureBalance,
  notPlaced,
  type ServerLoad,
} from '../../../mcp-server/planning/distribute-steps.ts';
import { planOf } from '../../../mcp-server/planning/patterns/plan-of.ts';
import type { PlannedStep } from '../../../mcp-server/planning/steps.ts';

const plan = (...more: readonly Partial<PlannedStep>[]): Plan =>
  planOf(
    'workflow',
    more.map((one, n) => ({ key: `s${n}`, title: 't', task: 'Work.', role: 'worker', needs: [], ...one })),
    { fanIn: 5, maxDepth: 3, maxAgents: 1000, maxAgentsPerLevel: 1000 },
  );
const many = (count: number): readonly Partial<PlannedStep>[] => Array.from({ length: count }, () => ({}));
const server = (name: string, more: Partial<ServerLoad> = {}): ServerLoad => ({
  server: name,
  model: null,
  capabilities: [],
  slots: 4,
  busy: 0,
  ...more,
});
const places = (steps: readonly PlanStep[]): string => steps.map((step) => step.server ?? '-').join(' ');

describe('Sharing steps out among servers', () => {
  it('takes turns', () => {
    const { plan: shared } = distributeSteps(
      plan(...many(5)),
      [server('a', { model: 'm' }), server('b')],
      'round-robin',
    );
    assert.equal(places(shared.steps), 'a b a b a');
    assert.equal(shared.steps[0]?.model, 'm');
    assert.equal(shared.steps[1]?.model, undefined);
    assert.equal(shared.distribution, 'round-robin');
  });

  it('gives the least loaded one the next step, by slots, speed and what it does already', () => {
    const by = (...servers: readonly ServerLoad[]): string =>
      places(distributeSteps(plan(...many(6)), servers, 'least-loaded').plan.steps);
    assert.equal(by(server('a'), server('b', { slots: 8 })).match(/b/g)?.length, 4);
    assert.equal(by(server('a', { busy: 4 }), server('b')).match(/b/g)?.length, 5);
    assert.equal(by(server('a', { tokensPerSecond: 10 }), server('b', { tokensPerSecond: 50 })).match(/b/g)?.length, 5);
  });

  it('reckons with the tokens that are expected of each step', () => {
    const sizes = [9, 1, 1, 1, 1, 1, 1, 1, 1, 1];
    const { balance } = distributeSteps(plan(...many(10)), [server('a'), server('b')], 'least-loaded', {
      expected: (step) => sizes[Number(step.key.slice(1))] ?? 0,
    });
    assert.equal(balance.ratio, 1);
    assert.deepEqual(
      balance.loads.map(({ steps }) => steps).toSorted((a, b) => a - b),
      [1, 9],
    );
  });

  it('asks for capabilities, skills and role, and says where nobody has them', () => {
    const servers = [
      server('a', { capabilities: ['Code', 'sql'] }),
      server('b', { capabilities: ['vision', 'writer'] }),
      server('c', { busy: 9 }),
    ];
    const { plan: shared, notes } = distributeSteps(
      plan(
        { capabilities: ['code', 'vision', 'sql'] },
        { skills: ['vision'] },
        { role: 'writer' },
        { capabilities: ['german'] },
        {},
      ),
      servers,
      'capability',
    );
    assert.equal(places(shared.steps.slice(0, 3)), 'a b b');
    assert.equal(shared.steps[3]?.server, 'a');
    assert.deepEqual(notes, ['No server is good at german; s3 went to the least loaded.']);
  });

  it('sends urgent steps where they are through first', () => {
    const servers = [server('slow', { tokensPerSecond: 10 }), server('fast', { tokensPerSecond: 40, slots: 2 })];
    const { plan: shared } = distributeSteps(
      plan({}, {}, { urgency: 5 }, { urgency: 9 }, { urgency: 7 }),
      servers,
      'priority',
    );
    const urgent = (key: string): string | undefined => shared.steps.find((step) => step.key === key)?.server;
    assert.deepEqual(['s3', 's4'].map(urgent), ['fast', 'fast']);
    const idle = distributeSteps(
      plan({ urgency: 1 }),
      [server('a', { busy: 3 }), server('b', { busy: 1 })],
      'priority',
    );
    assert.equal(places(idle.plan.steps), 'b');
  });

  it('leaves a step where it wants to be, and counts it', () => {
    const { plan: shared, notes } = distributeSteps(
      plan({ server: 'b', model: 'own' }, { server: 'elsewhere' }, { model: 'x' }, { model: 'nobody-has-it' }, {}),
      [server('a', { model: 'x' }), server('b')],
      'least-loaded',
    );
    assert.equal(places(shared.steps.slice(0, 4)), 'b elsewhere a -');
    assert.equal(shared.steps[0]?.model, 'own');
    assert.deepEqual(notes, ['No server is listed with the model nobody-has-it; s3 was given none.']);
  });

  it('can be taken back, and leaves what a step named itself', () => {
    const before = plan({ server: 'b', model: 'own' }, { model: 'x' }, {}, { model: 'nobody-has-it' });
    const servers = [server('a', { model: 'x' }), server('b')];
    const { plan: shared } = distributeSteps(before, servers, 'round-robin');
    assert.equal(places(shared.steps), 'b a a -');
    assert.deepEqual(notPlaced(shared), { ...before, distribution: 'round-robin' });
    assert.deepEqual(notPlaced(before), before);
  });

  it('gives processors none, and changes nothing without servers', () => {
    const mixed = plan({ work: { kind: 'compute', processor: 'vote', options: {} } }, {});
    assert.equal(places(distributeSteps(mixed, [server('a')], 'round-robin').plan.steps), '- a');
    assert.deepEqual(distributeSteps(mixed, [], 'priority').plan, mixed);
  });

  it('serves every agent, changes nothing else, and is as even as steps of one size can be', () => {
    const servers = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        servers,
        fc.integer({ min: 1, max: 60 }),
        fc.constantFrom(...DISTRIBUTIONS),
        (slots, count, strategy) => {
          const all = slots.map((each, n) => server(`h${n}`, { slots: each }));
          const before = plan(...many(count));
          const { plan: shared, balance } = distributeSteps(before, all, strategy);
          assert.deepEqual(
            shared.steps.map(({ server: _server, ...rest }) => rest),
            before.steps,
          );
          assert.ok(shared.steps.every((step) => all.some((one) => one.server === step.server)));
          assert.deepEqual(measureBalance(shared, all), balance);
          assert.equal(
            balance.loads.reduce((sum, { steps }) => sum + steps, 0),
            count,
          );
          const loads = balance.loads.map(({ load }) => load);
          if (strategy !== 'round-robin') assert.ok(Math.max(...loads) <= Math.min(...loads) + 1 + 1e-9);
        },
      ),
      { numRuns: 100 },
    );
  });
});
