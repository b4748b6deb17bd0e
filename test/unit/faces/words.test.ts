import assert from 'node:assert/strict';
import { createLineWriter } from '../../../mcp-server/faces/cli/plain-lines.ts';
import { describeEnd, exitStatusOf, runResult } from '../../../mcp-server/faces/cli/run-result.ts';
import { duration, fit, human, printable } from '../../../mcp-server/faces/cli/terminal.ts';
import { fakeRun } from '../../support/fake-engine.ts';

const event = (fields: Record<string, unknown> & { type: string }) => ({
  seq: 1,
  at: 0,
  run: 'r-1',
  agent: null,
  ...fields,
});

describe('what the terminal says', () => {
  it('gives tokens and durations in human units', () => {
    assert.deepEqual([0, 999, 1000, 12_345, 99_999, 500_000, 1_200_000].map(human), [
      '0',
      '999',
      '1.0k',
      '12.3k',
      '100k',
      '500k',
      '1.2M',
    ]);
    assert.deepEqual([420, 42_000, 185_000].map(duration), ['0.4 s', '42 s', '3 min 5 s']);
  });

  it('cuts by columns, not by characters', () => {
    assert.equal(fit('short', 5), 'short');
    assert.equal(fit('shorter', 5), 'shor…');
    assert.equal(fit('文字文字', 5), '文字…');
    assert.equal(fit('x', 0), '');
  });

  it('takes commands to the terminal out of texts, and leaves line breaks', () => {
    assert.equal(printable('a\u001b[31mb\r\n\tc\u202e'), 'a[31mb\n\tc');
  });

  it('writes one line for each event that matters, with the names of agents', () => {
    const lineOf = createLineWriter();
    assert.match(
      lineOf(
        event({ type: 'agent.created', agent: 'a-1', name: 'map docs', tier: 'worker', parent: null, depth: 1 }),
      ) ?? '',
      /map docs: worker created/,
    );
    assert.match(
      lineOf(event({ type: 'agent.moved', agent: 'a-1', from: 'running', to: 'failed', reason: 'turn-limit' })) ?? '',
      /map docs: failed \(turn-limit\)/,
    );
    assert.match(
      lineOf(event({ type: 'agent.moved', agent: 'a-1', from: 'running', to: 'completed', reason: 'out-of-budget' })) ??
        '',
      /map docs: incomplete, out of tokens$/,
    );
    const files = Array.from({ length: 7 }, (_, n) => `${n}.txt`);
    assert.match(
      lineOf(event({ type: 'worktree.saved', agent: 'a-1', commit: '0123456789abcdef', files })) ?? '',
      /map docs: .*kept as commit 0123456789: 0\.txt, .*4\.txt and 2 more$/,
    );
    assert.equal(
      lineOf(event({ type: 'agent.moved', agent: 'a-1', from: 'ready', to: 'running', reason: null })),
      null,
    );
    assert.equal(lineOf(event({ type: 'turn.started', agent: 'a-1' })), null);
    assert.match(lineOf(event({ type: 'engine.noticed', agent: null, notice: 'Mended.' })) ?? '', /engine: Mended\.$/);
    assert.equal(lineOf(event({ type: 'something.ofALaterEngine' })), null);
    const lines: [Record<string, unknown> & { type: string }, string][] = [
      [{ type: 'run.held', steps: 3, reason: 'asked for' }, "the plan of 3 steps waits for a person's word: asked for"],
      [{ type: 'run.retried', steps: 1, budget: 5000 }, '1 step tried again, with 5.0k tokens more'],
      [
        { type: 'step.retried', step: 'docs', attempt: 2, reason: 'timeout', startsAt: 1500 },
        'docs: try 2 in 1.5 s: timeout',
      ],
      [{ type: 'step.omitted', step: 'docs', reason: 'not needed' }, 'docs: omitted: not needed'],
      [{ type: 'step.undone', step: 'docs', state: 'impossible', result: 'sent' }, 'docs: cannot be undone: sent'],
    ];
    for (const [fields, text] of lines) assert.equal(lineOf(event(fields)), `00:00:00 ${text}`);
    assert.equal(lineOf(event({ type: 'agent.moved', agent: 'a-1', to: 'cancelled', reason: 'omitted' })), null);
    const asked = lineOf(event({ type: 'agent.asked', agent: 'a-1', question: 'Which\nport\u001b[2J?' })) ?? '';
    assert.equal(asked, '00:00:00 map docs asks: Which port[2J?');
  });

  it('ends a run for machines with exactly the promised keys', () => {
    const result = runResult(fakeRun({ state: 'completed', endedAt: 5000, filesChanged: 4, report: 'Done.' }));
    assert.deepEqual(result, {
      type: 'run.result',
      run: 'r-1',
      status: 'completed',
      branch: 'coppice/r-1',
      commit: 'b'.repeat(40),
      filesChanged: 4,
      agents: { total: 3, completed: 1, failed: 0 },
      tokens: { granted: 1000, used: 100, reserved: 0 },
      wallMs: 4000,
      report: 'Done.',
      error: null,
    });
  });

  it('ends a run for people with what to do next', () => {
    const text = describeEnd(
      fakeRun({ state: 'completed', endedAt: 5000, filesChanged: 4, report: 'Done.' }),
      'coppice',
      ' --repo /x',
    );
    assert.match(text, /completed: 1 of 3 agents completed, 100 of 1\.0k tokens, 4\.0 s/);
    assert.match(text, /coppice review r-1 --land --repo \/x/);
    assert.doesNotMatch(
      describeEnd(fakeRun({ state: 'nothing', endedAt: 5000, filesChanged: 0 }), 'coppice', ''),
      /--land/,
    );
  });

  it('says of a run with an incomplete step which it is, and how it goes on', () => {
    const text = describeEnd(
      fakeRun({ state: 'partial', endedAt: 5000, filesChanged: 4, error: 'docs: incomplete, out of tokens' }),
      'coppice',
      '',
    );
    assert.match(text, /^partial: 1 of 3 agents completed.*\nerror: docs: incomplete, out of tokens$/m);
    assert.match(text, /try the failed steps again: coppice retry r-1$/m);
  });

  it('has an exit status for every way to end', () => {
    const states = ['completed', 'answered', 'failed', 'nothing', 'partial', 'cancelled'] as const;
    assert.deepEqual(states.map(exitStatusOf), [0, 0, 1, 3, 4, 130]);
  });
});
