import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentDescription, runContext, runDescription } from '../../../extension/describe.ts';
import {
  basisWords,
  bytes,
  changeLine,
  fateIcon,
  forecastLine,
  forecastLines,
  leftWords,
  pastErrorWords,
  planStepDescription,
  stepIcon,
  stepSuffix,
  stepTooltip,
  time,
  waitingDescription,
} from '../../../extension/plans/describe-plan.ts';
import { faultSpan, faultsIn } from '../../../extension/plans/faults.ts';
import { planPage } from '../../../extension/plans/plan-page.ts';
import { type PlanRow, planRows } from '../../../extension/plans/plan-rows.ts';
import { type JsonSchema, suggestions } from '../../../extension/workflows/completion.ts';
import {
  nameFault,
  nameFrom,
  templateOf,
  valueFault,
  valueOf,
  valueText,
} from '../../../extension/workflows/values.ts';
import { parseWorkflow } from '../../../mcp-server/planning/workflows/parse-workflow.ts';
import { forecastRow, planRow, stepRow } from './plan-fixtures.ts';
import { agentRow, runRow } from './rows.ts';

const flat = (rows: readonly PlanRow[]): PlanRow[] => rows.flatMap((row) => [row, ...flat(row.children ?? [])]);

describe('what a plan costs, in words', () => {
  it('gives agents, tokens and time in one line, half and nine in ten', () => {
    assert.equal(forecastLine(forecastRow()), '3 agents · 25k to 50k tokens · 2 min to 5 min');
  });

  it('names agents by level, slots, disk, what the numbers rest on, and how good they were', () => {
    const lines = Object.fromEntries(forecastLines(forecastRow()));
    assert.equal(lines['Agents'], '3: 1 synthesizer, 2 workers');
    assert.equal(lines['Tokens'], '25k (p50) · 50k (p90)');
    assert.equal(lines['Wall time'], '2 min (p50) · 5 min (p90) at 2 slots');
    assert.equal(lines['Disk'], '2 to 3 worktrees, 1.9 MB to 2.9 MB');
    assert.match(lines['Known'] ?? '', /general experience/);
  });

  it('says when it knows better than general experience, and how far off it was', () => {
    const error = { runs: 8, percent: 12.4, bias: 3, belowP90: 88 };
    const seen = forecastRow({ basis: 'history', observations: 40, pastError: { tokens: error, wallMs: null } });
    assert.equal(basisWords(seen), 'by what was observed here (40 agents)');
    assert.equal(pastErrorWords(seen), 'tokens off by 12 %, 88 % of runs below the p90 (8 runs)');
    assert.match(pastErrorWords(forecastRow()), /not known yet/);
  });

  it('shows old and new numbers, only those that differ', () => {
    const less = forecastRow({ agents: 2, tokens: { p50: 20_000, p90: 40_000 } });
    assert.equal(changeLine(forecastRow(), less), '3 agents → 2 agents · tokens 50k → 40k');
    assert.equal(changeLine(less, less), 'the same cost as before');
  });

  it('is no more precise than a forecast can be', () => {
    assert.deepEqual([0, 45_400, 817_000, 9_000_000].map(time), ['1 s', '45 s', '14 min', '2.5 h']);
    assert.deepEqual([950, 1900, 12_345_678, 3e9].map(bytes), ['950 B', '1.9 KB', '12 MB', '3 GB']);
  });
});

describe('the lines of a plan', () => {
  it('shows forecast, reason and every step by level', () => {
    const rows = flat(planRows(planRow(), undefined));
    const labels = rows.map(({ label }) => label);
    for (const label of ['Forecast', 'Pattern: pipeline', 'Level 1', 'Level 2', 'join the work', 'do a', 'do b'])
      assert.ok(labels.includes(label), label);
    assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length, 'ids are their own');
    assert.equal(rows.find(({ label }) => label === 'do b')?.description, '10k tokens · after do a · pipeline');
    assert.match(rows.find(({ label }) => label === 'join the work')?.description ?? '', /^30k tokens with all below/);
  });

  it('shows what the last change did', () => {
    const change = { before: forecastRow({ agents: 5 }), changes: ['2 workers became 1.'] };
    const row = planRows(planRow(), change).find(({ id }) => id === 'changed');
    assert.equal(row?.description, '5 agents → 3 agents');
    assert.equal(row?.children?.[0]?.label, '2 workers became 1.');
  });

  it('marks steps that cannot be undone', () => {
    const step = stepRow('a', { undo: 'cannot be undone: it sends a letter' });
    const rows = planRows(planRow({ steps: [step], cannotUndo: ['do a'] }), undefined);
    assert.equal(rows.find(({ id }) => id === 'cannot-undo')?.label, '1 step cannot be undone');
    assert.match(planStepDescription(planRow(), step), /cannot be undone$/);
  });

  it('marks steps that are done only in part', () => {
    const step = stepRow('a', { state: 'done', incomplete: 'out of tokens' });
    assert.match(planStepDescription(planRow(), step), /^incomplete: out of tokens · /);
    assert.equal(stepIcon(step).name, 'warning');
    assert.equal(stepIcon({ ...step, incomplete: null }).name, 'pass');
  });

  it('tells dependencies, pattern and attempts beside an agent', () => {
    const plan = planRow();
    assert.equal(stepSuffix(plan, stepRow('x', { needs: ['a', 'b'] })), 'after do a, do b · pipeline');
    assert.equal(stepSuffix(plan, stepRow('x', { needs: ['a'], attempt: 2 })), 'attempt 2 · after do a · pipeline');
    const many = stepRow('x', { needs: ['a', 'b', 'c', 'd', 'e'] });
    assert.equal(stepSuffix(plan, many), 'after do a, do b and 3 more · pipeline');
    assert.equal(agentDescription(agentRow('a-1', { state: 'pending' }), 0, 'after do a · saga'), 'after do a · saga');
  });

  it('gives steps that were left out or undone words and signs of their own', () => {
    assert.equal(stepSuffix(planRow(), stepRow('x', { state: 'omitted', pattern: 'single' })), 'left out');
    assert.equal(fateIcon(stepRow('x', { state: 'omitted' }))?.name, 'debug-step-over');
    const undone = stepRow('x', { pattern: 'saga', undone: { state: 'done', result: 'reverted' } });
    assert.equal(stepSuffix(planRow(), undone), 'undone · saga');
    assert.equal(fateIcon(undone)?.name, 'discard');
    assert.equal(fateIcon(stepRow('x', { undone: { state: 'failed', result: '' } }))?.name, 'warning');
    assert.equal(fateIcon(stepRow('x', { state: 'done' })), undefined);
  });

  it('lets no title of a step turn into a link in a tooltip', () => {
    const text = stepTooltip(planRow(), stepRow('x', { title: '[x](command:y)', skills: ['[z](command:z)'] }));
    assert.ok(!text.includes('](command:'));
  });

  it('tells all of it on one page', () => {
    const page = planPage(planRow(), { before: forecastRow({ agents: 4 }), changes: ['One worker less.'] });
    for (const part of [
      '# Plan: Map this repository',
      'waits for your word',
      '## Pattern: pipeline',
      '## Forecast',
      '4 agents → 3 agents',
      'One worker less.',
      '## Level 2: 2 workers',
      '- **After:** do a',
    ])
      assert.ok(page.includes(part), part);
  });
});

describe('a run with a plan', () => {
  it('says that its plan waits, and what it costs', () => {
    const run = runRow('r-1', { state: 'planned' });
    assert.equal(
      runDescription(run, waitingDescription(planRow())),
      'plan waits for you · 3 agents · 25k to 50k tokens · 2 min to 5 min',
    );
    assert.match(runContext(run), /^run planned\b/);
  });

  it('says what is left while it goes on, and nothing after', () => {
    const left = {
      agents: 2,
      tokens: { p50: 40_000, p90: 60_000 },
      wallMs: { p50: 1, p90: 2 },
      eta: { p50: 200_000, p90: 400_000 },
      basis: 'prior' as const,
    };
    const words = leftWords(runRow('r-1'), left, 20_000);
    assert.equal(words, 'about 3 min, 40k tokens left');
    assert.equal(runDescription(runRow('r-1'), words), '1/4 done · about 3 min, 40k tokens left · 98k of 500k tokens');
    assert.equal(leftWords(runRow('r-1', { state: 'completed' }), left, 0), '');
  });

  it('offers to retry only what has ended with failed steps', () => {
    assert.equal(runContext(runRow('r-1', { state: 'partial' })), 'run ended retryable');
    assert.equal(runContext(runRow('r-1', { state: 'completed' })), 'run ended');
  });
});

describe('faults of a text', () => {
  it('are read out of the words of the engine, with their lines', () => {
    const faults = faultsIn(
      'The plan has faults and was left as it is:\n4:3: there is no "taks" here.\n7:1: x: it needs itself.',
    );
    assert.deepEqual(
      faults.map(({ line, column, message }) => [line, column, message]),
      [
        [3, 2, 'there is no "taks" here.'],
        [6, 0, 'x: it needs itself.'],
      ],
    );
  });

  it('are shown at the top when no line is named', () => {
    assert.deepEqual(faultsIn('Too long.'), [{ line: 0, column: 0, severity: 'error', message: 'Too long.' }]);
  });

  it('underline what was written, and never nothing', () => {
    assert.deepEqual(faultSpan('  taks: x  # why', 2), [2, 9]);
    assert.deepEqual(faultSpan('ab', 9), [1, 2]);
    assert.deepEqual(faultSpan('', 0), [0, 0]);
  });
});

describe('values of a workflow', () => {
  it('are read as the kind that the default has', () => {
    assert.equal(valueOf(' 3 ', { default: 2 }), 3);
    assert.deepEqual(valueOf('a, b,', { default: ['x'] }), ['a', 'b']);
    assert.equal(valueOf('yes', { default: false }), true);
    assert.equal(valueOf('a, b', {}), 'a, b');
    assert.equal(valueOf('  ', { default: 2 }), undefined);
    assert.equal(valueText(['a', 'b']), 'a, b');
  });

  it('are asked for when they are needed', () => {
    assert.match(valueFault('', { required: true }) ?? '', /needed/);
    assert.equal(valueFault('', { required: true, default: 1 }), undefined);
    assert.match(valueFault('many', { default: 1 }) ?? '', /number/);
  });

  it('get names that files and steps can have', () => {
    assert.equal(nameFrom('Map this Repository, please!'), 'map-this-repository-please');
    assert.equal(nameFault('release-notes', []), undefined);
    assert.match(nameFault('Release', []) ?? '', /Lower-case/);
    assert.match(nameFault('tdd', ['tdd']) ?? '', /already/);
  });

  it('start from a template that is a good workflow', () => {
    const parsed = parseWorkflow(templateOf('mine'), new Set(['mine']));
    assert.ok(parsed.ok, JSON.stringify(parsed.faults));
  });
});

describe('completion in a workflow file', () => {
  const path = join(import.meta.dirname, '../../../media/schemas/workflow.schema.json');
  const schema = JSON.parse(readFileSync(path, 'utf8')) as JsonSchema;
  /** `|` is where the person types. */
  const at = (marked: string): string[] => {
    const text = marked.replace('|', '');
    const before = marked.slice(0, marked.indexOf('|')).split('\n');
    const position = { line: before.length - 1, character: before.at(-1)?.length ?? 0 };
    return suggestions(schema, text, position).map(({ label }) => label);
  };

  it('offers the keys that are missing at the top', () => {
    assert.deepEqual(at('name: x\n|'), ['description', 'parameters', 'pattern', 'nodes']);
  });

  it('offers the keys of a node, also of one within a loop', () => {
    const keys = at('name: x\nnodes:\n  a:\n    prompt: hello\n    |\n  b:\n    prompt: y\n');
    assert.ok(keys.includes('needs') && keys.includes('skills') && !keys.includes('prompt'));
    assert.ok(at('nodes:\n  loop:\n    nodes:\n      a:\n        n|').includes('needs'));
    assert.deepEqual(at('nodes:\n  loop:\n    repeat:\n      |'), ['atMost', 'until']);
  });

  it('offers the keys of an item of a list', () => {
    assert.ok(at('nodes:\n  a:\n    stages:\n      - |').includes('name'));
    assert.ok(!at('nodes:\n  a:\n    stages:\n      - name: x\n        |').includes('name'));
  });

  it('offers the values that a key can have', () => {
    assert.deepEqual(at('nodes:\n  a:\n    tier: |'), ['worker', 'synthesizer', 'executive']);
    assert.deepEqual(at('nodes:\n  a:\n    prompt: |'), []);
  });

  it('says nothing in comments and in free text', () => {
    assert.deepEqual(at('# na|'), []);
    assert.deepEqual(at('nodes:\n  a:\n    prompt: some words |'), []);
  });
});
