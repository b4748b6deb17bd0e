import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunView } from '../../mcp-server/engine/facade.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer, say } from '../support/scripted-server.ts';
import { agentsOf, eventsOf } from '../support/team.ts';

const toolsDone = (request: ParsedRequest): number => request.messages.filter(({ role }) => role === 'tool').length;
const isPart = (request: ParsedRequest): boolean => request.firstUser.startsWith('Your task:\nThe part');
const isResolver = (request: ParsedRequest): boolean => request.firstUser.includes('conflict markers');

/** Writes one.txt, asks the person, and ends. */
const asking = (request: ParsedRequest): ScriptedAnswer => {
  const done = toolsDone(request);
  if (done === 0) return call('write_file', { path: 'one.txt', content: 'first\n' });
  return done === 1 ? call('ask_person', { question: 'Shall I go on?' }) : finish('Done.');
};

describe('What a person changes by hand in the worktree of an agent', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  /** The worktree that there is, or the path of a file in it. */
  const inWorktree = (...path: string[]): string => {
    const folder = join(bench.repo.root, '.coppice/worktrees');
    const [first = ''] = existsSync(folder) ? readdirSync(folder) : [];
    return join(folder, first, ...path);
  };
  const filesOf = (view: RunView): string[] =>
    bench.repo.git('diff', '--name-only', 'main', view.branch).split('\n').filter(Boolean);
  const subjects = (view: RunView): string[] =>
    bench.repo.git('log', '--reverse', '--no-merges', '--format=%s', `main..${view.branch}`).split('\n');

  it('is looked for after turns that may have changed something, and at the end', async () => {
    bench = await openBench({
      script: (request, n) => {
        if (n === 1) return call('write_file', { path: 'one.txt', content: '1\n' });
        if (n === 2) writeFileSync(inWorktree('by-hand.txt'), 'hand\n');
        return n < 4 ? call('read_file', { path: 'one.txt' }) : finish(request.lastTool?.content ?? 'Done.');
      },
    });
    const view = await bench.run('Write one.txt', { maxAgents: 1 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const log = bench.repo.git(
      'log',
      '--reverse',
      '--format=%(trailers:key=Turn,valueonly)',
      '--name-only',
      `main..${view.branch}`,
    );
    assert.deepEqual(log.split(/\s+/), ['1', 'one.txt', '4', 'by-hand.txt']);
  });

  /** One agent writes one.txt and delegates the part; `change` happens when its helper is asked for the `at`th time. */
  const delegating =
    (change: () => void, at: number, part: (request: ParsedRequest) => ScriptedAnswer) =>
    (request: ParsedRequest): ScriptedAnswer => {
      if (isPart(request)) {
        if (toolsDone(request) === at) change();
        return part(request);
      }
      const done = toolsDone(request);
      if (done === 0) return call('write_file', { path: 'one.txt', content: 'first\n' });
      if (done > 1) return finish('Done.');
      if (at < 0) change();
      return call('delegate', { task: 'The part' });
    };
  const writePart = (request: ParsedRequest): ScriptedAnswer =>
    request.lastTool ? finish('Part.') : call('write_file', { path: 'part.txt', content: 'part\n' });

  it('is there for the helper that it delegates to', async () => {
    bench = await openBench({
      script: delegating(() => writeFileSync(inWorktree('by-hand.txt'), 'hand\n'), -1, writePart),
    });
    const view = await bench.run('Write one.txt', { maxAgents: 2 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.deepEqual(filesOf(view), ['by-hand.txt', 'one.txt', 'part.txt']);
    assert.equal(subjects(view).filter((line) => line.startsWith('Changed by hand')).length, 0);
  });

  it('while that one waits for a helper stays when the helper’s work comes in, and is committed with its own', async () => {
    const change = (): void => {
      writeFileSync(inWorktree('by-hand.txt'), 'hand\n');
      appendFileSync(inWorktree('one.txt'), 'and by hand\n');
    };
    bench = await openBench({ script: delegating(change, 0, writePart) });
    const view = await bench.run('Write one.txt', { maxAgents: 2 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.deepEqual(filesOf(view), ['by-hand.txt', 'one.txt', 'part.txt']);
    assert.equal(bench.repo.git('show', `${view.branch}:one.txt`), 'first\nand by hand');
    const [top] = await agentsOf(bench, view.run);
    const files = (await eventsOf(bench)).flatMap((event) =>
      event.type === 'agent.committed' && event.agent === top?.agent ? [event.files] : [],
    );
    assert.deepEqual(files, [['one.txt'], ['by-hand.txt', 'one.txt']]);
  });

  it('in the very moment in which a helper’s work comes in is not overwritten', async () => {
    bench = await openBench({ script: delegating(() => undefined, 0, writePart) });
    const merge = bench.repository.merge.bind(bench.repository);
    Object.assign(bench.repository, {
      merge: async (...args: Parameters<typeof merge>) => {
        const merged = await merge(...args);
        if (merged.kind !== 'up-to-date' && existsSync(inWorktree('one.txt'))) {
          appendFileSync(inWorktree('one.txt'), 'late\n');
          writeFileSync(inWorktree('late.txt'), 'late\n');
        }
        return merged;
      },
    });
    const view = await bench.run('Write one.txt', { maxAgents: 2 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.deepEqual(filesOf(view), ['late.txt', 'one.txt', 'part.txt']);
    assert.match(bench.repo.git('show', `${view.branch}:one.txt`), /^first\nlate/);
  });

  it('and may not be committed stays there, with the worktree', async () => {
    const change = (): void => {
      mkdirSync(inWorktree('.idea'));
      writeFileSync(inWorktree('.idea/run.xml'), 'mine\n');
      writeFileSync(inWorktree('.vscode/settings.json'), '{"mine": true}\n');
      mkdirSync(inWorktree('nested'));
      execFileSync('git', ['init', '-q'], { cwd: inWorktree('nested') });
      writeFileSync(inWorktree('nested/work.txt'), 'mine\n');
    };
    bench = await openBench({
      files: { '.vscode/settings.json': '{}\n' },
      script: delegating(change, 0, writePart),
    });
    const view = await bench.run('Write one.txt', { maxAgents: 2 });
    assert.deepEqual([view.state, filesOf(view)], ['completed', ['one.txt', 'part.txt']]);
    await bench.waitUntil('the worktree is kept', async () =>
      (await eventsOf(bench)).some(({ type }) => type === 'worktree.kept'),
    );
    const texts = ['.idea/run.xml', '.vscode/settings.json', 'nested/work.txt'].map((path) =>
      readFileSync(inWorktree(path), 'utf8'),
    );
    assert.deepEqual(texts, ['mine\n', '{"mine": true}\n', 'mine\n']);
  });

  it('and can neither be taken in nor overwritten is kept with all the folder, and the work goes on', async () => {
    const change = (): void => {
      mkdirSync(inWorktree('part.txt'));
      execFileSync('git', ['init', '-q'], { cwd: inWorktree('part.txt') });
      writeFileSync(inWorktree('part.txt/work.txt'), 'mine\n');
    };
    bench = await openBench({ script: delegating(change, 0, writePart) });
    const view = await bench.run('Write one.txt', { maxAgents: 2 });
    assert.deepEqual([view.state, filesOf(view)], ['completed', ['one.txt', 'part.txt']], JSON.stringify(view));
    const kept = (await eventsOf(bench)).find(({ type }) => type === 'worktree.kept');
    assert.ok(kept?.type === 'worktree.kept');
    assert.equal(readFileSync(join(kept.path, 'part.txt/work.txt'), 'utf8'), 'mine\n');
  });

  it('deleted, where a helper changes it, becomes a conflict', async () => {
    const asOne = delegating(
      () => rmSync(inWorktree('one.txt')),
      0,
      (request) =>
        request.lastTool ? finish('Part.') : call('write_file', { path: 'one.txt', content: 'first\nthe part\n' }),
    );
    bench = await openBench({ script: (request) => (isResolver(request) ? finish('Joined.') : asOne(request)) });
    const view = await bench.run('Write one.txt', { maxAgents: 2 });
    const conflict = (await eventsOf(bench, view.run)).find(({ type }) => type === 'agent.conflicted');
    assert.ok(conflict?.type === 'agent.conflicted', JSON.stringify(view));
    assert.deepEqual(conflict.files, ['one.txt']);
  });

  it('may be that all of it is deleted, which is made anew', async () => {
    bench = await openBench({ script: delegating(() => rmSync(inWorktree(), { recursive: true }), 0, writePart) });
    const view = await bench.run('Write one.txt', { maxAgents: 2 });
    assert.deepEqual([view.state, filesOf(view)], ['completed', ['one.txt', 'part.txt']]);
    assert.deepEqual(
      bench.log.filter((line) => line.includes('merge')),
      [],
    );
  });

  it('comes home, too, when the agent ends with plain text', async () => {
    bench = await openBench({
      script: (_request, n) => {
        if (n === 1) return call('write_file', { path: 'one.txt', content: '1\n' });
        writeFileSync(inWorktree('by-hand.txt'), 'hand\n');
        return say('That is all.');
      },
    });
    const view = await bench.run('Write one.txt', { maxAgents: 1 });
    assert.deepEqual([view.state, filesOf(view)], ['completed', ['by-hand.txt', 'one.txt']]);
    assert.equal(view.report, 'That is all.');
  });

  it('in the place that a helper changes, too, becomes a conflict that holds both sides', async () => {
    let seen = '';
    const part = (request: ParsedRequest): ScriptedAnswer =>
      request.lastTool ? finish('Part.') : call('write_file', { path: 'one.txt', content: 'first\nthe part\n' });
    const asOne = delegating(() => appendFileSync(inWorktree('one.txt'), 'by hand\n'), 0, part);
    bench = await openBench({
      script: (request) => {
        if (!isResolver(request)) return asOne(request);
        if (toolsDone(request) === 0) return call('read_file', { path: 'one.txt' });
        seen ||= request.lastTool?.content ?? '';
        return toolsDone(request) === 1
          ? call('write_file', { path: 'one.txt', content: 'first\nby hand\nthe part\n' })
          : finish('Both.');
      },
    });
    const view = await bench.run('Write one.txt', { maxAgents: 2 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match(seen, /<<<<<<<[^]*by hand[^]*=======[^]*the part/);
    assert.equal(bench.repo.git('show', `${view.branch}:one.txt`), 'first\nby hand\nthe part');
    assert.equal((await agentsOf(bench, view.run)).length, 3);
    assert.ok(subjects(view).some((line) => line.startsWith('Changed by hand in the worktree of')));
  });

  it('stays there, and comes home, when another engine takes the work up', async () => {
    bench = await openBench({ script: asking });
    const { run } = await bench.engine.startRun({ task: 'Write one.txt', options: { maxAgents: 1 } });
    const waiting = async (): Promise<boolean> => (await agentsOf(bench, run))[0]?.state === 'waiting';
    await bench.waitUntil('the question', waiting);
    appendFileSync(inWorktree('one.txt'), 'before\n');
    await bench.restart();
    writeFileSync(inWorktree('after.txt'), 'after\n');
    const [agent] = await agentsOf(bench, run);
    assert.ok(agent);
    await bench.engine.messageAgent({ agent: agent.agent, text: 'Yes.' });
    const view = await bench.waitEnd(run);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.deepEqual(filesOf(view), ['after.txt', 'one.txt']);
    assert.equal(bench.repo.git('show', `${view.branch}:one.txt`), 'first\nbefore');
  });

  it('and staged is kept as a commit, and said, when another engine takes the work up', async () => {
    bench = await openBench({ script: asking });
    const { run } = await bench.engine.startRun({ task: 'Write one.txt', options: { maxAgents: 1 } });
    await bench.waitUntil('the question', async () => (await agentsOf(bench, run))[0]?.state === 'waiting');
    writeFileSync(inWorktree('by-hand.txt'), 'hand\n');
    execFileSync('git', ['add', 'by-hand.txt'], { cwd: inWorktree() });
    await bench.restart();
    const [agent] = await agentsOf(bench, run);
    assert.ok(agent);
    await bench.engine.messageAgent({ agent: agent.agent, text: 'Yes.' });
    const view = await bench.waitEnd(run);
    assert.deepEqual([view.state, filesOf(view)], ['completed', ['one.txt']]);
    const saved = (await eventsOf(bench)).find((event) => event.type === 'worktree.saved');
    assert.deepEqual(saved?.files, ['by-hand.txt']);
    assert.equal(bench.repo.git('show', `${saved.commit}:by-hand.txt`), 'hand');
  });

  it('while its tools were cut is kept as a commit, and said', async () => {
    bench = await openBench({
      settings: { permissions: { commands: { allowed: ['sleep'] } } },
      script: (request) => {
        const done = toolsDone(request);
        if (done === 0) return call('write_file', { path: 'one.txt', content: 'first\n' });
        return done === 1 ? call('run_command', { argv: ['sleep', '1'] }) : finish('Done.');
      },
    });
    const { run } = await bench.engine.startRun({ task: 'Write one.txt', options: { maxAgents: 1 } });
    const running = async (): Promise<boolean> =>
      (await eventsOf(bench)).some((event) => event.type === 'turn.answered' && event.tools.includes('run_command'));
    await bench.waitUntil('the command', running);
    writeFileSync(inWorktree('by-hand.txt'), 'hand\n');
    await bench.restart();
    const view = await bench.waitEnd(run);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const saved = (await eventsOf(bench)).find((event) => event.type === 'worktree.saved');
    assert.deepEqual(saved?.files, ['by-hand.txt']);
    assert.equal(bench.repo.git('show', `${saved.commit}:by-hand.txt`), 'hand');
    assert.match(bench.repo.git('for-each-ref', '--format=%(objectname)', 'refs/coppice'), new RegExp(saved.commit));
    assert.deepEqual(filesOf(view), ['one.txt']);
  });
});
