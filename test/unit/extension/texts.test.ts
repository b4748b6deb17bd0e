import assert from 'node:assert/strict';
import {
  agentContext,
  agentDescription,
  agentIcon,
  agentTooltip,
  budgetDescription,
  budgetShare,
  isScarce,
  jobDescription,
  runContext,
  runDescription,
  runIcon,
  runTooltip,
  serverDescription,
  setupReport,
  statusText,
} from '../../../extension/describe.ts';
import {
  duration,
  escapeMarkdown,
  fenced,
  headLines,
  oneLine,
  parseTokens,
  tokens,
} from '../../../extension/format.ts';
import { queueChildren, queueRoots } from '../../../extension/queue-rows.ts';
import { transcriptPage } from '../../../extension/transcript.ts';
import { Redraw } from '../../../extension/views/redraw.ts';
import { accountRow, agentRow, jobRow, runRow } from './rows.ts';

describe('texts for people', () => {
  it('shows tokens with three digits at most', () => {
    const shown = [0, 999, 1000, 1234, 12_345, 123_456, 999_499, 999_500, 1_234_567].map(tokens);
    assert.deepEqual(shown, ['0', '999', '1k', '1.2k', '12.3k', '123k', '999k', '1M', '1.2M']);
  });

  it('reads back every way to write a budget', () => {
    assert.deepEqual(
      ['200000', '200 000', '200_000', '200k', '1.5M', ' 2m '].map(parseTokens),
      [200_000, 200_000, 200_000, 200_000, 1_500_000, 2_000_000],
    );
    for (const bad of ['', 'many', '0', '-5', '1.5.2', '12x']) assert.equal(parseTokens(bad), undefined, bad);
  });

  it('shows durations in the two largest units', () => {
    assert.deepEqual([0, 59_999, 60_000, 61_000, 3_600_000, 3_660_000].map(duration), [
      '0 s',
      '59 s',
      '1 min',
      '1 min 1 s',
      '1 h',
      '1 h 1 min',
    ]);
  });

  it('cuts a line without breaking a sign in two', () => {
    assert.equal(oneLine('a\n  b', 10), 'a b');
    assert.equal(oneLine('abcdef', 4), 'abc…');
    assert.equal(oneLine('ab😀def', 4), 'ab…');
    assert.equal(oneLine('a\u202eb\u200b', 40), 'a<U+202E>b<U+200B>');
    assert.equal(oneLine('👩‍🚀 ❤️', 40), '👩‍🚀 ❤️');
  });

  it('fences text that has fences in it', () => {
    assert.equal(fenced('a\n```\nb'), '````\na\n```\nb\n````');
  });

  it('lets no task turn into a link or an image in a tooltip', () => {
    assert.equal(escapeMarkdown('[x](command:y)'), '\\[x\\]\\(command:y\\)');
    const text = runTooltip(runRow('r-1', { task: '[click](command:evil) <img src=x>' }), 0);
    assert.ok(!text.includes('](command:') && !/[^\\]<img/.test(text));
  });

  it('says how many lines of an output are left out', () => {
    assert.equal(headLines('1\n2\n3\n4', 2), '1\n2\n… 2 more lines');
  });
});

describe('the lines of the views', () => {
  it('tells how far a run is, and later what came of it', () => {
    assert.equal(runDescription(runRow('r-1')), '1/4 done · 98k of 500k tokens');
    const ended = runRow('r-1', { state: 'completed', filesChanged: 7, review: 'open' });
    assert.equal(runDescription(ended), '7 files to review · 98k tokens');
    assert.equal(runDescription(runRow('r-1', { cancelRequested: 'wrap-up' })), 'stopping · 98k of 500k tokens');
  });

  it('tells of what pauses, and offers to let it go on', () => {
    const run = runRow('r-1', { paused: true });
    assert.equal(runDescription(run), 'pausing · 98k of 500k tokens');
    assert.equal(runDescription({ ...run, stuck: '2 paused agents.' }), 'paused · 98k of 500k tokens');
    assert.equal(runIcon(run).name, 'debug-pause');
    assert.equal(runContext(run), 'run active paused');
    assert.equal(runContext({ ...run, cancelRequested: 'wrap-up' }), 'run active');
    const agent = { ...agentRow('a-1', { state: 'running', action: 'edit_file a' }), pausing: true };
    assert.equal(agentDescription(agent, 0), 'edit_file a · to pause · 0');
    assert.equal(agentDescription({ ...agent, state: 'paused', action: '' }, 0), 'paused · 0');
    assert.equal(agentContext(agent), 'agent live paused');
  });

  it('offers a review only for an ended run with changes', () => {
    assert.equal(runContext(runRow('r-1')), 'run active pausable');
    assert.equal(runContext(runRow('r-1', { state: 'partial', review: 'open' })), 'run ended reviewable retryable');
    assert.equal(runContext(runRow('r-1', { state: 'completed', review: 'landed' })), 'run ended');
  });

  it('shows what an agent does and its tokens, own and with all below', () => {
    const agent = agentRow('a-1', { state: 'running', action: 'read_file src/a.ts', used: 1200 });
    assert.equal(agentDescription(agent, 1200), 'read_file src/a.ts · 1.2k');
    assert.equal(agentDescription(agent, 8400), 'read_file src/a.ts · 1.2k / 8.4k');
    assert.equal(agentDescription(agentRow('a-1', { question: 'Which one?' }), 0), 'asks: Which one? · 0');
    assert.equal(agentDescription(agentRow('a-1', { state: 'failed', error: 'no model' }), 0), 'failed: no model · 0');
    const cut = { ...agentRow('a-1', { state: 'completed' }), endReason: 'out-of-budget' };
    assert.equal(agentDescription(cut, 0), 'incomplete: out of tokens · 0');
    assert.equal(agentIcon(cut).name, 'warning');
    assert.equal(agentIcon({ ...cut, endReason: 'finished' }).name, 'pass');
    assert.equal(
      agentContext(agentRow('a-1', { question: 'Which one?', state: 'waiting' })),
      'agent live pausable asking',
    );
  });

  it('shows the share of the prompt that came from the cache', () => {
    const text = agentTooltip(agentRow('a-1', { prompt: { sent: 10_000, cached: 8500 } }), 0, 0);
    assert.ok(text.includes('| Prompt from the cache | 85 % of 10k |'), text);
  });

  it('draws budgets as a share of what was granted', () => {
    const account = accountRow('a-1', 'r-1', { subtreeUsed: 700, reserved: 150, available: 150 });
    assert.equal(budgetShare(account), 0.85);
    assert.equal(budgetDescription(account), '85 % · 700 of 1k · 150 reserved · 150 available');
    assert.equal(budgetShare(accountRow('a-1', 'r-1', { granted: 0 })), 0);
    assert.equal(isScarce(account), true);
    assert.equal(isScarce({ ...account, state: 'completed' }), false);
  });

  it('shows the slots of a server, or why it cannot be reached', () => {
    const server = {
      url: 'http://x',
      model: 'm',
      reachable: true,
      error: null,
      slots: { busy: 1, total: 4 },
      contextSize: 8192,
    };
    assert.equal(serverDescription(server), '1 of 4 slots busy · m · context 8.2k');
    assert.equal(serverDescription({ ...server, reachable: false, error: 'refused' }), 'not reachable: refused');
  });

  it('groups the queue as the engine serves it, the oldest first', () => {
    const jobs = [
      jobRow('j-1', { ageMs: 10 }),
      jobRow('j-2', { ageMs: 20 }),
      jobRow('j-3', { priority: 'person' }),
      jobRow('j-4', { state: 'parked', error: 'no server' }),
      jobRow('j-5', { state: 'running' }),
    ];
    const roots = queueRoots({ servers: [], jobs, counts: { person: 1, review: 0, critical: 0, batch: 2 } });
    assert.deepEqual(
      roots.map((row) => row.id),
      ['group:running', 'group:person', 'group:batch', 'group:parked'],
    );
    assert.deepEqual(
      roots.flatMap(queueChildren).map((row) => row.id),
      ['j-5', 'j-3', 'j-2', 'j-1', 'j-4'],
    );
    assert.equal(
      jobDescription(jobRow('j-4', { ageMs: 61_000, attempts: 3, error: 'no server' })),
      'turn · 1 min 1 s · attempt 3 · no server',
    );
  });

  it('shows two hundred jobs of a group and says how many more there are', () => {
    const jobs = Array.from({ length: 1000 }, (_, i) => jobRow(`j-${i}`));
    const [group] = queueRoots({ servers: [], jobs, counts: { person: 0, review: 0, critical: 0, batch: 1000 } });
    const rows = group ? queueChildren(group) : [];
    assert.equal(rows.length, 201);
    assert.deepEqual(rows.at(-1), { kind: 'more', id: 'group:batch:more', left: 800 });
  });

  it('sums up the runs that go on in the status bar', () => {
    assert.equal(statusText([], undefined), '$(type-hierarchy) Coppice');
    assert.equal(statusText([runRow('r-1')], { busy: 2, total: 4 }), '$(sync~spin) 2 agents · 2/4 slots · 98k tokens');
  });

  it('lists the findings of a setup check with what to do', () => {
    const page = setupReport([
      { severity: 'ok', what: 'git 2.40', fix: '' },
      { severity: 'error', what: 'No server.', fix: 'Start llama-server.' },
    ]);
    assert.ok(
      page.includes('1 thing to look at.') && page.includes('❌ No server.') && page.includes('→ Start llama-server.'),
    );
  });
});

describe('the transcript page', () => {
  it('shows task, turns, tool calls and the report in order', () => {
    const agent = agentRow('a-1', { name: 'map src', state: 'completed', report: 'Two files.', turns: 1, used: 1200 });
    const page = transcriptPage(
      agent,
      [
        { kind: 'task', text: 'Map the folder src.', at: 0 },
        { kind: 'message', from: 'person', messageKind: 'steer', text: 'Skip tests.', at: 0 },
        {
          kind: 'answer',
          seq: 1,
          turnKind: 'normal',
          answer: { content: 'I look.', reasoning: 'First\nlist.', toolCalls: [], finish: 'tool_calls' },
          usage: { prompt: 1000, completion: 200, cached: 900 },
          timings: { queueMs: 0, promptMs: 1, completionMs: 1, firstTokenMs: 250 },
          commit: 'abcdef0123456789',
          calls: [{ tool: 'list_files', arguments: '{"path":"src"}', ok: true, output: 'a.ts\nb.ts', state: 'done' }],
          at: 0,
        },
      ],
      1200,
    );
    const parts = [
      '# map src',
      '## Task',
      '## Message from you',
      '## Turn 1',
      '90 % from the cache',
      '> First\n> list.',
      'I look.',
    ];
    const rest = ['### ✓ list_files path=`src`', 'a.ts\nb.ts', '`abcdef0123`', '## Report'];
    const places = [...parts, ...rest].map((part) => page.indexOf(part));
    assert.ok(
      places.every((place, i) => place > (places[i - 1] ?? -1)),
      page,
    );
  });
});

describe('when a node is drawn again', () => {
  it('draws a leaf at every tick and a large node the less often, the larger it is', () => {
    const redraw = new Redraw((id) => (id === 'big' ? 1000 : 0));
    const mark = (): void => ['leaf', 'big'].forEach((id) => redraw.mark(id));
    mark();
    assert.deepEqual(redraw.take(0), ['leaf', 'big']);
    mark();
    assert.deepEqual(redraw.take(150), ['leaf']);
    assert.equal(redraw.isIdle(), false);
    assert.deepEqual(redraw.take(1999), []);
    assert.deepEqual(redraw.take(2000), ['big']);
    assert.equal(redraw.isIdle(), true);
  });
});
