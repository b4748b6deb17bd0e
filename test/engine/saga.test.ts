import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import type { PlanStep } from '../../mcp-server/domain/plan.ts';
import { retryFailedSteps } from '../../mcp-server/engine/retry-run.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { keyOf, runPlan, step, stepStates, writeOwn } from '../support/plans.ts';
import { call, calls, finish, type ParsedRequest, type ScriptedAnswer } from '../support/scripted-server.ts';
import { agentsOf, eventsOf, toolResults } from '../support/team.ts';

const files = { 'shared.txt': 'start\n', 'old.txt': 'old\n', 'README.md': '# Saga\n' };

/** Writes its own file and changes the shared one; `bad` steps are blocked. */
const worker = (request: ParsedRequest): ScriptedAnswer => {
  const key = keyOf(request);
  if (key.startsWith('bad')) return finish('It went wrong.', 'blocked');
  if (request.lastTool) return finish(`${key} is done.`);
  if (key.startsWith('good')) return writeOwn(request);
  return calls(
    ['write_file', { path: `out/${key}.txt`, content: `${key}\n` }],
    ['write_file', { path: 'shared.txt', content: `${key}\n` }],
  );
};

const chain = (...steps: readonly PlanStep[]): readonly PlanStep[] =>
  steps.map((one, index) => {
    const before = steps[index - 1];
    return { ...one, saga: 'release', needs: before ? [before.key] : [] };
  });

describe('A saga', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(20)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });
  const tree = (commit: string): string => bench.repo.git('rev-parse', `${commit}^{tree}`);
  const undosOf = async (run: Parameters<typeof bench.store.undos>[0]) =>
    (await bench.store.undos(run)).map(({ undo, state }) => `${undo.kind}: ${state}`);

  it('takes back what was done, the last one first, and says so', async () => {
    bench = await openBench({ files, script: worker });
    const view = await runPlan(bench, chain(step('one'), step('two'), step('bad')));
    assert.equal(view.state, 'failed', JSON.stringify(view, null, 1));
    assert.equal(tree(view.branch), tree('main'), 'the branch is as it was');
    assert.equal(view.filesChanged, 0);
    assert.equal(view.review, 'none');
    assert.match(view.report ?? '', /## Undone\n\n- two: undone: Its commits were reverted in \w+\.\n- one: undone: /);
    const undone = (await eventsOf(bench, view.run)).flatMap((e) => (e.type === 'step.undone' ? [e.step] : []));
    assert.deepEqual(undone, ['two', 'one']);
    assert.deepEqual(await undosOf(view.run), ['revert: done', 'revert: done', 'revert: recorded']);
  });

  it('leaves a saga that goes well as it is, and what is outside of one that fails', async () => {
    bench = await openBench({ files, script: worker });
    const steps = [
      ...chain(step('one'), step('bad')),
      step('good-1', { saga: 'other' }),
      step('good-2', { saga: 'other', needs: ['good-1'] }),
    ];
    const view = await runPlan(bench, steps);
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    const kept = bench.repo.git('ls-tree', '-r', '--name-only', view.branch, 'out/').split('\n');
    assert.deepEqual(kept, ['out/good-1.txt', 'out/good-2.txt']);
  });

  it('runs commands and agents that undo, and brings home what they changed', async () => {
    bench = await openBench({
      files,
      settings: { permissions: { commands: { allowed: ['node'] } } },
      script: (request) => {
        if (!request.firstUser.includes('must be undone')) return worker(request);
        if (toolResults(request).length === 0) return call('write_file', { path: 'told.txt', content: 'told\n' });
        return finish('Everybody is told.');
      },
    });
    const program = "require('fs').writeFileSync('cleaned.txt', 'clean\\n')";
    const view = await runPlan(
      bench,
      chain(
        step('one', { undo: { kind: 'command', argv: ['node', '-e', program] } }),
        step('two', { undo: { kind: 'agent', task: 'tell everybody' } }),
        step('bad'),
      ),
    );
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    assert.equal(bench.repo.git('show', `${view.branch}:cleaned.txt`), 'clean');
    assert.equal(bench.repo.git('show', `${view.branch}:told.txt`), 'told');
    assert.match(view.report ?? '', /- two: undone: Everybody is told\.\n- one: undone: node -e/);
    const undoers = (await agentsOf(bench, view.run)).filter(({ role }) => role === 'undo');
    assert.deepEqual(
      undoers.map(({ name, state }) => `${name}: ${state}`),
      ['undo two: completed', 'undo one: completed'],
    );
  });

  it('says what could not be undone: by its own word, for want of permission, or because it failed', async () => {
    bench = await openBench({
      files,
      settings: { permissions: { commands: { allowed: ['node'] } } },
      script: worker,
    });
    const view = await runPlan(
      bench,
      chain(
        step('mail', { undo: { kind: 'none', reason: 'A letter cannot be called back.' } }),
        step('forbidden', { undo: { kind: 'command', argv: ['rm', '-r', 'x'] } }),
        step('broken', { undo: { kind: 'command', argv: ['node', '-e', 'process.exit(3)'] } }),
        step('fine'),
        step('bad'),
      ),
    );
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    const report = view.report ?? '';
    assert.match(report, /- fine: undone: /);
    assert.match(report, /- broken: could NOT be undone: node -e process\.exit\(3\): exit code 3/);
    assert.match(report, /- forbidden: could NOT be undone: rm is not allowed/);
    assert.match(report, /- mail: could NOT be undone: A letter cannot be called back\./);
  });

  describe('of which a step stopped half-way', () => {
    let outside: string;
    beforeEach(() => {
      outside = mkdtempSync(join(tmpdir(), 'coppice-saga-'));
    });
    afterEach(() => rmSync(outside, { recursive: true, force: true }));
    /** Outside of git; one line for each time. */
    const leave = (name: string): readonly string[] => [
      'node',
      '-e',
      `require('fs').appendFileSync(${JSON.stringify(join(outside, name))}, 'x')`,
    ];
    const times = (name: string): number =>
      existsSync(join(outside, name)) ? readFileSync(join(outside, name), 'utf8').length : 0;
    const teardown = (key: string): Pick<PlanStep, 'undo'> => ({
      undo: { kind: 'command', argv: leave(`undone-${key}`) },
    });
    const settings = { permissions: { commands: { allowed: ['node'] } } } as const;
    /** `half` steps do something outside of git, then fail. */
    const halfWay = (request: ParsedRequest): ScriptedAnswer => {
      const key = keyOf(request);
      if (!key.startsWith('half')) return worker(request);
      return request.lastTool
        ? finish('It went wrong.', 'blocked')
        : call('run_command', { argv: leave(`done-${key}`) });
    };

    it('runs the command that it has declared, once, before the others are undone', async () => {
      bench = await openBench({ files, settings, script: halfWay });
      const view = await runPlan(bench, chain(step('one'), step('half', teardown('half'))));
      assert.equal(view.state, 'failed', JSON.stringify(view, null, 1));
      assert.deepEqual([times('done-half'), times('undone-half')], [1, 1]);
      const undone = (await eventsOf(bench, view.run)).flatMap((e) => (e.type === 'step.undone' ? [e.step] : []));
      assert.deepEqual(undone, ['half', 'one']);
      assert.match(
        view.report ?? '',
        /## Undone\n\n- half \(failed half-way\): undone: node -e .* was run\.\n- one: undone: /,
      );
      const { steps } = await bench.engine.showPlan(view.run);
      assert.deepEqual(
        steps.map(({ undone: done }) => done?.state),
        ['done', 'done'],
      );
    });

    it('lets an agent undo it, and says what cannot be undone', async () => {
      let told = '';
      bench = await openBench({
        files,
        settings,
        script: (request) => {
          if (!request.firstUser.includes('must be undone')) return halfWay(request);
          told = request.firstUser;
          return finish('Everybody is told.');
        },
      });
      const view = await runPlan(bench, [
        step('half-1', { saga: 'a', undo: { kind: 'agent', task: 'tell everybody' } }),
        step('half-2', { saga: 'b', undo: { kind: 'none', reason: 'A letter cannot be called back.' } }),
      ]);
      assert.match(
        told,
        /"half-1", has begun with this and was stopped half-way; whatever it did of it must be undone/,
      );
      assert.match(view.report ?? '', /- half-1 \(failed half-way\): undone: Everybody is told\./);
      assert.match(view.report ?? '', /- half-2 \(failed half-way\): could NOT be undone: A letter cannot/);
    });

    it('has nothing to undo of what never began, or is on its branch only', async () => {
      bench = await openBench({ files, settings, script: halfWay });
      const view = await runPlan(bench, chain(step('bad'), step('after', teardown('after'))));
      assert.equal(times('undone-after'), 0);
      assert.doesNotMatch(view.report ?? '', /Undone/);
    });

    it('undoes it once, however often it was tried', async () => {
      bench = await openBench({
        files,
        settings,
        script: (request) =>
          keyOf(request) === 'odd'
            ? toolResults(request).length === 0
              ? call('run_command', { argv: leave('done-odd') })
              : { content: '' }
            : worker(request),
      });
      const view = await runPlan(bench, chain(step('odd', { ...teardown('odd'), retries: 1 })));
      assert.equal(view.state, 'failed', JSON.stringify(view, null, 1));
      assert.deepEqual([times('done-odd'), times('undone-odd')], [2, 1]);
    });

    it('undoes what was stopped because of another one, which is done again with the rest of it', async () => {
      let mended = false;
      bench = await openBench({
        files,
        settings,
        script: (request) => {
          const key = keyOf(request);
          if (mended) return writeOwn(request);
          if (key === 'bad' && !request.lastTool) return { ...call('list_files', {}), latencyMs: 300 };
          if (key !== 'slow' && key !== 'calm') return worker(request);
          const looks = toolResults(request).length;
          return looks === 0 && key === 'slow'
            ? call('run_command', { argv: leave('done-slow') })
            : { ...call('list_files', { path: `${looks}` }), latencyMs: 100 };
        },
      });
      const first = await runPlan(bench, [
        step('slow', { saga: 'release', ...teardown('slow') }),
        step('idle', { saga: 'release', needs: ['slow'] }),
        step('calm', { saga: 'release' }),
        step('bad', { saga: 'release' }),
      ]);
      const states = { slow: 'omitted', idle: 'omitted', calm: 'omitted', bad: 'failed' };
      assert.deepEqual(await stepStates(bench, first.run), states);
      assert.match(first.report ?? '', /- slow \(stopped half-way\): undone: /);
      assert.deepEqual([times('done-slow'), times('undone-slow')], [1, 1]);
      mended = true;
      await bench.engine.retryFailedSteps({ run: first.run });
      const view = await bench.waitEnd(first.run);
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      assert.deepEqual(await stepStates(bench, view.run), {
        slow: 'done',
        idle: 'done',
        calm: 'done',
        bad: 'done',
      });
    });

    it('takes back what its children had finished', async () => {
      bench = await openBench({
        files,
        script: (request) => {
          if (keyOf(request) !== 'lead') return worker(request);
          return request.lastTool ? finish('It went wrong.', 'blocked') : call('delegate', { task: 'do child' });
        },
      });
      const view = await runPlan(bench, chain(step('one'), step('lead')));
      assert.equal(tree(view.branch), tree('main'), JSON.stringify(view, null, 1));
      assert.match(
        view.report ?? '',
        /## Undone\n\n- lead \(failed half-way\): undone: Its commits were reverted in \w+\.\n- one: undone: /,
      );
    });
  });

  it('says which files others have changed since, and keeps their work', async () => {
    bench = await openBench({
      files,
      script: (request) => {
        if (keyOf(request) !== 'later') return worker(request);
        if (!request.lastTool) return call('write_file', { path: 'shared.txt', content: 'later\n' });
        return finish('later is done.');
      },
    });
    const view = await runPlan(bench, [
      step('one', { saga: 'release' }),
      step('later', { needs: ['one'] }),
      step('bad', { saga: 'release', needs: ['later'] }),
    ]);
    assert.match(
      view.report ?? '',
      /- one: could NOT be undone: Others have changed the same places since, in shared\.txt/,
    );
    assert.equal(bench.repo.git('show', `${view.branch}:shared.txt`), 'later');
  });

  it('stops what still works on it, and lets what follows begin only from what is left', async () => {
    bench = await openBench({
      files,
      script: (request) => {
        const key = keyOf(request);
        if (key === 'slow')
          return { ...call('list_files', { path: `${toolResults(request).length}` }), latencyMs: 100 };
        if (key === 'after')
          return request.lastTool ? finish(request.lastTool.content) : call('list_files', { path: 'out' });
        return worker(request);
      },
    });
    const view = await runPlan(bench, [
      step('one', { saga: 'release' }),
      step('slow', { saga: 'release' }),
      step('bad', { saga: 'release', needs: ['one'] }),
      step('after', { needs: ['one', 'bad'], toleratesFailure: true }),
    ]);
    const states = await stepStates(bench, view.run);
    assert.deepEqual(
      states,
      { one: 'done', slow: 'omitted', bad: 'failed', after: 'done' },
      JSON.stringify(view, null, 1),
    );
    assert.match(view.report ?? '', /^There is no folder out\./);
    assert.equal(tree(view.branch), tree('main'));
  });

  it('takes work back out of a joiner that has not begun', async () => {
    bench = await openBench({ files, script: worker });
    const view = await runPlan(
      bench,
      [
        step('one', { saga: 'release', parent: 'join' }),
        step('bad', { saga: 'release', parent: 'join', needs: ['one'] }),
        step('good', { parent: 'join' }),
        step('join', { needs: ['one', 'bad', 'good'], toleratesFailure: true, tier: 'synthesizer' }),
      ].map((one) => (one.key === 'good' ? { ...one, task: 'do good' } : one)),
    );
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    const kept = bench.repo.git('ls-tree', '-r', '--name-only', view.branch, 'out/').split('\n');
    assert.deepEqual(kept, ['out/good.txt', 'out/join.txt']);
  });

  it('undoes at an edge that says so, though no saga is named', async () => {
    bench = await openBench({ files, script: worker });
    const view = await runPlan(bench, [
      step('one'),
      step('bad', { needs: ['one'] }),
      step('end', { needs: ['bad'], onFailure: { bad: 'compensate' } }),
    ]);
    assert.equal(view.state, 'failed', JSON.stringify(view, null, 1));
    assert.equal(tree(view.branch), tree('main'));
  });

  it('is done again from its beginning when its failed steps are tried again', async () => {
    let mended = false;
    bench = await openBench({
      files,
      script: (request) => (mended && keyOf(request) === 'bad' ? writeOwn(request) : worker(request)),
    });
    const first = await runPlan(bench, chain(step('one'), step('two'), step('bad')));
    mended = true;
    const core = { parts: { store: bench.store, clock: bench.clock, random: Math.random }, wake: () => {} };
    await retryFailedSteps(core as never, first.run);
    await bench.engine.resumeRun(first.run);
    const view = await bench.waitEnd(first.run);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const kept = bench.repo.git('ls-tree', '-r', '--name-only', view.branch, 'out/').split('\n');
    assert.deepEqual(kept, ['out/bad.txt', 'out/one.txt', 'out/two.txt']);
  });

  it('leaves the branch byte for byte as it was, or names what it could not undo, whatever fails', async function () {
    this.timeout(120_000);
    /** What each step does: writes, deletes by emptying, renames by writing anew, shares a file, does nothing. */
    const act = (key: string): readonly (readonly [string, object])[] => {
      const n = Number(key.split('-')[1]);
      const all = [
        [['write_file', { path: `out/${key}.txt`, content: `${key}\n` }]],
        [['write_file', { path: 'shared.txt', content: `${key}\nstart\n` }]],
        [
          ['write_file', { path: 'old.txt', content: 'new\n' }],
          ['write_file', { path: `deep/a/${key}`, content: '' }],
        ],
        [],
      ] as const;
      return all[n % all.length] ?? [];
    };
    let failing: ReadonlySet<string> = new Set();
    bench = await openBench({
      files,
      server: { slots: 8 },
      settings: { permissions: { commands: { allowed: ['node'] } } },
      script: (request) => {
        const key = keyOf(request);
        if (marking.has(key) && !request.lastTool)
          return call('run_command', { argv: node(`fs.writeFileSync(${JSON.stringify(mark(key))}, '')`) });
        if (failing.has(key)) return finish('It went wrong.', 'blocked');
        const wanted = marking.has(key) ? [] : act(key);
        return request.lastTool || wanted.length === 0 ? finish(`${key} is done.`) : calls(...wanted);
      },
    });
    const shape = fc.record({
      needs: fc.array(fc.nat(8), { maxLength: 3 }),
      fails: fc.boolean(),
      none: fc.nat(5).map((n) => n === 0),
      /** Leaves a file outside of git, which its undo removes. */
      outside: fc.nat(3).map((n) => n === 0),
    });
    const folder = mkdtempSync(join(tmpdir(), 'coppice-saga-'));
    const node = (program: string): readonly string[] => ['node', '-e', `const fs = require('fs'); ${program}`];
    const mark = (key: string): string => join(folder, key);
    let marking: ReadonlySet<string> = new Set();
    await fc.assert(
      fc.asyncProperty(fc.array(shape, { minLength: 1, maxLength: 6 }), async (shapes) => {
        const undoOf = ({ none, outside }: (typeof shapes)[number], key: string): Pick<PlanStep, 'undo'> => {
          if (none) return { undo: { kind: 'none', reason: 'never' } };
          const argv = node(`fs.rmSync(${JSON.stringify(mark(key))}, { force: true })`);
          return outside ? { undo: { kind: 'command', argv } } : {};
        };
        const steps = shapes.map((one, n) =>
          step(`s-${n}`, {
            saga: 'all',
            needs: n === 0 ? [] : [...new Set(one.needs.map((need) => `s-${need % n}`))],
            ...undoOf(one, `s-${n}`),
          }),
        );
        marking = new Set(shapes.flatMap(({ none, outside }, n) => (outside && !none ? [`s-${n}`] : [])));
        failing = new Set(shapes.flatMap(({ fails }, n) => (fails ? [`s-${n}`] : [])));
        const view = await runPlan(bench, steps);
        assert.deepEqual(await bench.invariants(view.run), []);
        const named = /could NOT be undone/.test(view.report ?? '');
        const states = Object.values(await stepStates(bench, view.run));
        if (!states.some((state) => state === 'failed')) {
          assert.deepEqual(readdirSync(folder).toSorted(), [...marking].toSorted());
          for (const key of marking) rmSync(mark(key));
          return;
        }
        assert.deepEqual(readdirSync(folder), [], JSON.stringify({ view, steps, failing: [...failing] }, null, 1));
        const same = tree(view.commit) === tree('main');
        assert.ok(same || named, JSON.stringify({ view, steps, failing: [...failing] }, null, 1));
        const undos = await bench.store.undos(view.run);
        const done = (await bench.store.steps(view.run)).filter(({ state }) => state === 'done');
        for (const { agent } of done) {
          const state = undos.find((undo) => undo.agent === agent)?.state ?? '';
          assert.ok(['done', 'failed', 'impossible'].includes(state), `${agent}: ${state}`);
        }
      }),
      { numRuns: 12, seed: 11 },
    );
    rmSync(folder, { recursive: true });
  });
});
