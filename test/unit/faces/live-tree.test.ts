import assert from 'node:assert/strict';
import type { AgentId } from '../../../mcp-server/domain/ids.ts';
import type { AgentView } from '../../../mcp-server/engine/facade.ts';
import { renderTree } from '../../../mcp-server/faces/cli/live-tree.ts';
import { displayWidth } from '../../../mcp-server/faces/cli/terminal.ts';
import { fakeAgent, fakeRun } from '../../support/fake-engine.ts';

const QUEUE = { busy: 2, total: 4, waiting: 7, parked: 0, trouble: '' };
const SCREEN = { columns: 100, rows: 24, color: false };
const agent = (id: string, parent: string | null, patch: Partial<AgentView> = {}): AgentView =>
  fakeAgent({ agent: id as AgentId, parent: parent as AgentId | null, name: id, ...patch });
const team = (count: number, patch: (at: number) => Partial<AgentView>): AgentView[] =>
  Array.from({ length: count }, (_, at) => agent(`w${at}`, 'boss', patch(at)));

describe('the terminal tree', () => {
  it('shows the run, its hierarchy and the queue', () => {
    const agents = [
      agent('boss', null, { tier: 'executive', state: 'waiting', action: '' }),
      agent('left', 'boss', { tokens: { granted: 20_000, available: 0, reserved: 0, used: 12_345, subtreeUsed: 0 } }),
      agent('below', 'left', { state: 'failed', action: '', error: 'out of budget' }),
      agent('right', 'boss', { state: 'completed', action: '' }),
      agent('last', 'boss', { state: 'completed', endReason: 'out-of-budget', action: '' }),
    ];
    const lines = renderTree(fakeRun({ task: 'Map it' }), agents, QUEUE, SCREEN);
    assert.deepEqual(lines, [
      'r-1  running  1/3 agents  100/1.0k tokens  Map it',
      '  ◇ boss  executive waiting  100/1.0k',
      '    ▶ left  worker running  12.3k/20.0k  read_file docs/a.md',
      '      ✗ below  worker failed  100/1.0k  out of budget',
      '    ✓ right  worker completed  100/1.0k',
      '    ✓ last  worker incomplete, out of tokens  100/1.0k',
      'slots 2/4  7 waiting',
    ]);
  });

  it('says which skills agents wait for, and how they get them', () => {
    const wants = { approval: 'x', skill: 'greet', question: 'Trust it?', where: 'here', agents: ['boss' as AgentId] };
    const run = fakeRun({ approvals: [wants, { ...wants, skill: 'map', agents: ['a', 'b'] as AgentId[] }] });
    const lines = renderTree(run, [agent('boss', null)], QUEUE, SCREEN);
    assert.deepEqual(lines.slice(2, 4), [
      'an agent waits for your trust in the skill greet: coppice skill trust greet',
      '2 agents wait for your trust in the skill map: coppice skill trust map',
    ]);
    const many = team(40, () => ({}));
    assert.ok(renderTree(run, many, QUEUE, { ...SCREEN, rows: 9 }).length < 9);
  });

  it('keeps to the height of the terminal, busy agents and their ancestors first', () => {
    const agents = [
      agent('boss', null, { state: 'waiting' }),
      ...team(40, (at) => ({ state: at === 33 ? 'running' : at === 35 ? 'failed' : 'completed' })),
    ];
    const lines = renderTree(fakeRun(), agents, QUEUE, { ...SCREEN, rows: 8 });
    assert.equal(lines.length, 7);
    assert.match(lines[1] ?? '', /boss/);
    assert.ok(lines.some((line) => line.includes('w33')));
    assert.ok(lines.some((line) => line.includes('w35')));
    assert.equal(lines.at(-2), '  … 37 more');
  });

  it('shows every agent when there is room', () => {
    const agents = [agent('boss', null), ...team(9, () => ({ state: 'pending' }))];
    assert.equal(renderTree(fakeRun(), agents, QUEUE, { ...SCREEN, rows: 13 }).length, 12);
  });

  it('puts an agent with a question before all but running ones', () => {
    const agents = team(30, (at) => ({ state: 'ready', question: at === 20 ? 'Which port?' : null }));
    const lines = renderTree(fakeRun(), agents, QUEUE, { ...SCREEN, rows: 6 });
    assert.ok(lines.some((line) => line.includes('asks: Which port?')));
  });

  it('never writes beyond the width, also with wide characters, colours or in a tiny terminal', () => {
    const agents = [agent('建造文檔🙂'.repeat(20), null, { action: '讀'.repeat(90) }), ...team(5, () => ({}))];
    for (const columns of [10, 40, 80]) {
      for (const line of renderTree(fakeRun({ task: '任務'.repeat(80) }), agents, QUEUE, {
        columns,
        rows: 5,
        color: true,
      })) {
        // oxlint-disable-next-line no-control-regex -- the escape sequences are what is taken away
        const plain = line.replace(/\u001b\[\d+m/g, '');
        assert.ok(displayWidth(plain) <= columns, `${displayWidth(plain)} > ${columns}: ${plain}`);
      }
    }
  });

  it('lets no name or action command the terminal', () => {
    const agents = [agent('evil\u001b[2J\u0007', null, { action: 'a\nb\u009b31m' })];
    const text = renderTree(fakeRun({ task: 'x\u001b]0;title\u0007' }), agents, QUEUE, SCREEN).join('\n');
    // oxlint-disable-next-line no-control-regex -- control characters are what this is about
    assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  it('is silent about slots as long as no server is known', () => {
    assert.equal(renderTree(fakeRun(), [], { ...QUEUE, busy: 0, total: 0 }, SCREEN).at(-1), '7 waiting');
  });

  it('shows a plan that waits, omitted steps, undone ones, functions without tokens, and what is left', () => {
    const none = { granted: 0, available: 0, reserved: 0, used: 0, subtreeUsed: 0 };
    const agents = [
      agent('a', null, { state: 'cancelled', endReason: 'omitted', action: '', tokens: none }),
      agent('b', null, { state: 'completed', action: '' }),
      agent('c', null, { state: 'running', action: 'computes concat', tokens: none }),
    ];
    const marks = new Map([
      ['a', 'not needed'],
      ['b', 'undone: reverted'],
    ]);
    const lines = renderTree(fakeRun({ state: 'planned' }), agents, QUEUE, SCREEN, { marks, left: 'left: 1 agent' });
    assert.deepEqual(lines, [
      'r-1  planned, its plan waits for your word  1/3 agents  100/1.0k tokens  Do it',
      '  – a  worker omitted  not needed',
      '  ✓ b  worker completed  100/1.0k  undone: reverted',
      '  ▶ c  worker running  computes concat',
      'left: 1 agent',
      'slots 2/4  7 waiting',
    ]);
    const tight = { marks, left: 'left: 1 agent' };
    assert.equal(renderTree(fakeRun(), agents, QUEUE, { ...SCREEN, rows: 6 }, tight).length, 5);
  });

  it('says when a server cannot be reached and when jobs are parked', () => {
    const queue = { ...QUEUE, parked: 2, trouble: 'connection refused' };
    assert.equal(renderTree(fakeRun(), [], queue, SCREEN).at(-1), 'slots 2/4  7 waiting  2 parked  connection refused');
  });

  it('draws a thousand agents in a few milliseconds', () => {
    const agents = [agent('boss', null), ...team(1000, (at) => ({ state: at % 3 === 0 ? 'running' : 'completed' }))];
    renderTree(fakeRun(), agents, QUEUE, SCREEN);
    const before = performance.now();
    for (let at = 0; at < 10; at++) renderTree(fakeRun(), agents, QUEUE, SCREEN);
    assert.ok((performance.now() - before) / 10 < 30);
  });
});
