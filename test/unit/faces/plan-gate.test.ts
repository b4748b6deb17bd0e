import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { askingGate, type Gate, limitGate } from '../../../mcp-server/faces/cli/plan-gate.ts';
import { fakeForecast, fakePlan } from '../../support/fake-plan.ts';

const event = (type: string, fields: Record<string, unknown> = {}) => ({
  seq: 1,
  at: 0,
  run: 'r-1',
  agent: null,
  type,
  ...fields,
});
const HELD = [event('run.held', { steps: 3, reason: 'asked for' })];

describe('the gate of a plan', () => {
  let stdin: PassThrough;
  let said: string;
  let calls: string[];
  let answers: Record<string, (input: Record<string, unknown>) => unknown>;
  let left: number;
  let paused: boolean;
  let edit: (text: string) => Promise<string>;
  let gate: Gate;

  beforeEach(() => {
    stdin = new PassThrough();
    said = '';
    calls = [];
    answers = {};
    left = 0;
    paused = false;
    edit = async (text) => text;
  });
  afterEach(() => gate.close());

  const parts = (maxForecastTokens: number | null = null) => {
    const say = (text: string): void => {
      said += `${text}\n`;
    };
    return {
      context: {
        terminal: {
          stdin,
          stdout: new PassThrough(),
          live: true,
          canAsk: true,
          color: false,
          size: () => ({ columns: 100, rows: 30 }),
          print: say,
          warn: say,
          onInterrupt: () => () => {},
        },
        program: 'coppice',
        repoFlag: '',
        settings: maxForecastTokens === null ? {} : { planning: { maxForecastTokens } },
        edit: (text: string) => edit(text),
      },
      client: {
        call: async <T>(operation: string, input: Record<string, unknown>): Promise<T> => {
          calls.push([operation, ...Object.values(input).slice(1)].join(' '));
          return (answers[operation]?.(input) ?? fakePlan()) as T;
        },
        close: async () => {},
      },
      run: 'r-1',
      screen: {
        update: async () => {},
        say,
        pause: () => {
          paused = true;
        },
        resume: () => {
          paused = false;
        },
        close: () => {},
      },
      leave: () => {
        left++;
      },
    };
  };
  const until = async (what: string, probe: () => boolean): Promise<void> => {
    for (let tries = 0; !probe(); tries++) {
      assert.ok(tries < 300, `${what}\n${said}\n${calls.join('\n')}`);
      await systemClock.sleep(5);
    }
  };
  const types = async (line: string, then: string): Promise<void> => {
    const before = said.length;
    stdin.write(`${line}\n`);
    await until(`"${line}" then "${then}"`, () => said.slice(before).includes(then) || calls.join('\n').includes(then));
  };
  const opens = async (maxForecastTokens: number | null = null): Promise<void> => {
    gate = askingGate(parts(maxForecastTokens));
    await gate.look(HELD);
    await until('the question', () => said.includes('[r] Run'));
  };

  it('shows the plan with its forecast, and lets it go at a word', async () => {
    await opens(1000);
    assert.ok(gate.isOpen() && paused);
    assert.match(said, /Plan of r-1: fork-join, 3 steps[^]*· join[^]*Forecast +p50 +p90/);
    assert.match(said, /That is more than the 1\.0k tokens of --max-forecast-tokens/);
    await types('r', 'plan_approve');
    await until('it is over', () => !gate.isOpen() && !paused);
    assert.equal(gate.refused(), null);
    assert.equal(left, 0);
  });

  it('shrinks the plan and shows it again at once', async () => {
    await opens();
    const smaller = fakePlan({ by: 'the model, smaller' });
    answers['plan_edit'] = () => ({ plan: smaller, changes: ['2 workers became 1.'] });
    await types('s', '[1] fewer agents');
    await types('1', 'smaller');
    assert.ok(calls.includes('plan_edit fewer-agents'));
    assert.match(said, /2 workers became 1\.\n\nPlan of r-1[^]*the model, smaller/);
    answers['plan_edit'] = () => ({ plan: smaller, changes: [] });
    await types('s', '[1] fewer agents');
    await types('2', 'Nothing more can be made smaller');
    assert.ok(calls.includes('plan_edit cheaper-tiers'));
    await types('s', '[1] fewer agents');
    await types('', '[r] Run');
    assert.equal(calls.filter((call) => call.startsWith('plan_edit')).length, 2);
  });

  it('offers the editor again with the faults and what the person had written', async () => {
    await opens();
    const texts: string[] = [];
    edit = async (text) => {
      texts.push(text);
      return texts.length === 1 ? 'wrong' : 'right';
    };
    answers['plan_edit'] = ({ yaml }) => {
      if (yaml === 'wrong') throw new UserError('bad-input', 'The plan has faults:\n3:1: pattern: no such thing');
      return { plan: fakePlan({ by: 'you' }), changes: ['by hand'] };
    };
    await types('e', '[e] edit again');
    assert.match(said, /3:1: pattern: no such thing/);
    await types('e', 'made by you');
    assert.deepEqual(texts, ['pattern: fork-join\n', 'wrong']);
  });

  it('leaves the plan alone when nothing was changed, or the person gives up', async () => {
    await opens();
    await types('e', 'Nothing was changed.');
    edit = async () => {
      throw new UserError('bad-input', 'The editor "none" ended with 127.');
    };
    await types('e', '[e] edit again');
    assert.match(said, /The editor "none" ended/);
    await types('', '[r] Run');
    assert.ok(!calls.some((call) => call.startsWith('plan_edit')));
  });

  it('cancels the run', async () => {
    await opens();
    await types('c', 'run_cancel abort');
    await until('it is over', () => !gate.isOpen());
    assert.equal(left, 0);
  });

  it('asks again at a word that it does not know, without the whole plan', async () => {
    await opens();
    await types('what', '[r] Run');
    assert.equal(said.match(/Plan of r-1/g)?.length, 1);
  });

  it('leaves the plan waiting when there is nobody to answer any more', async () => {
    await opens();
    stdin.end();
    await until('it leaves', () => left === 1);
    assert.equal(gate.refused(), 'waits');
    assert.match(said, /run: coppice plan approve r-1/);
  });

  it('stops asking when another face lets the plan go', async () => {
    await opens();
    await gate.look([event('run.planned')]);
    await until('it is over', () => !gate.isOpen() && !paused);
    assert.equal(left, 0);
    assert.ok(!calls.some((call) => /approve|cancel/.test(call)));
  });

  it('says so when somebody else was quicker', async () => {
    await opens();
    answers['plan_approve'] = () => {
      throw new UserError('wrong-state', 'The plan does not wait any more.');
    };
    await types('r', 'does not wait any more');
    await until('it is over', () => !gate.isOpen());
    assert.equal(left, 0);
  });
});

describe('the gate where nobody is asked', () => {
  const calls: string[] = [];
  const said: string[] = [];
  let left = 0;
  const open = (limit: number | null, json = false): Gate => {
    calls.length = 0;
    said.length = 0;
    left = 0;
    const context = {
      terminal: { print: (text: string) => void said.push(text) },
      program: 'coppice',
      repoFlag: '',
      settings: limit === null ? {} : { planning: { maxForecastTokens: limit } },
    };
    const client = {
      call: async (operation: string) => {
        calls.push(operation);
        return operation === 'forecast' ? { run: 'r-1', forecast: fakeForecast() } : fakePlan({ cachedAt: 0 });
      },
    };
    return limitGate(
      {
        context,
        client,
        run: 'r-1',
        screen: { say: (text: string) => void said.push(text) },
        leave: () => {
          left++;
        },
      } as unknown as Parameters<typeof limitGate>[0],
      json,
    );
  };

  it('cancels a plan whose p90 is above the limit, and says both numbers', async () => {
    const gate = open(100_000);
    await gate.look(HELD);
    assert.equal(gate.refused(), 'too-much');
    assert.match(said.join('\n'), /its forecast is 121k tokens \(p90\), and 100k are the most/);
    assert.ok(calls.includes('run_cancel'));
  });

  it('prints the forecast for programs when there is a limit', async () => {
    const gate = open(500_000, true);
    await gate.look([event('run.planned')]);
    await gate.look([event('run.planned')]);
    assert.equal(said.length, 1);
    const line = JSON.parse(said[0] ?? '') as { type: string; limit: number; forecast: { tokens: { p90: number } } };
    assert.equal(line.type, 'run.forecast');
    assert.equal(line.limit, 500_000);
    assert.equal(line.forecast.tokens.p90, 121_000.4);
    assert.equal(gate.refused(), null);
    const silent = open(null, true);
    await silent.look([event('run.planned')]);
    assert.deepEqual(calls, []);
  });

  it('leaves a plan that waits for another reason, and says how it goes on', async () => {
    const gate = open(null);
    await gate.look([event('run.held', { steps: 1, reason: 'cannot be undone: mail' })]);
    assert.equal(gate.refused(), 'waits');
    assert.equal(left, 1);
    assert.match(said.join('\n'), /cannot be undone: mail\)\.[^]*plan approve r-1/);
    assert.ok(!calls.includes('run_cancel'));
  });

  it('says when a plan came out of the cache', async () => {
    await open(null).look([event('run.planned')]);
    assert.match(said.join('\n'), /taken from the cache; --no-cache/);
  });
});
