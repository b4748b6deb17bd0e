import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunView } from '../../mcp-server/engine/facade.ts';
import type { SkillView } from '../../mcp-server/engine/skills-facade.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer } from '../support/scripted-server.ts';
import { toolResults } from '../support/team.ts';

const never = (): AbortSignal => new AbortController().signal;

const skillText = (name: string): string =>
  `---\nname: ${name}\ndescription: Says how to ${name}. Use it to ${name}.\n---\n# Steps\n\n${name} politely.\n`;
const GREET = skillText('greet');
const FILES = {
  '.agents/skills/greet/SKILL.md': GREET,
  '.agents/skills/count-lines/SKILL.md': skillText('count-lines'),
};

/** Never the same call twice: one that repeats itself is ended. */
const looksAround = (results: readonly string[]): ScriptedAnswer =>
  call('list_files', { path: 'x'.repeat(results.length) }, { latencyMs: 100 });

describe('Skills that an agent wants before a person trusts them', function () {
  this.timeout(30_000);
  let bench: Bench;
  afterEach(() => bench.close());

  const open = async (script: (request: ParsedRequest) => ScriptedAnswer): Promise<void> => {
    bench = await openBench({ files: FILES, skills: true, script });
  };
  const skill = async (name: string): Promise<SkillView> => (await bench.engine.readSkill(name)).skill;
  const trust = async (name: string): Promise<SkillView> =>
    bench.engine.trustSkill({ name, hash: (await skill(name)).hash });

  it('are waited for across the end of an engine, listed, and answered once', async () => {
    const told: { readonly who: string; readonly text: string }[] = [];
    let goOn = false;
    await open((request) => {
      told.push({ who: request.firstUser, text: request.lastUser });
      const results = toolResults(request);
      if (results.length === 0) return call('use_skill', { name: 'greet' });
      if (goOn) return finish(results.at(-1) ?? '');
      return looksAround(results);
    });
    const before = bench.engine;
    const one = await before.startRun({ task: 'Say hello', options: {} });
    const two = await before.startRun({ task: 'Say hello again', options: {} });
    const asked = await before.nextSkillApproval(one.run, [], AbortSignal.timeout(10_000));
    await before.nextSkillApproval(two.run, [], AbortSignal.timeout(10_000));
    const waits = async (run: RunView['run']) => (await bench.engine.runStatus(run)).approvals ?? [];
    const listed = await waits(one.run);
    assert.deepEqual([listed[0]?.skill, listed[0]?.approval, listed[0]?.agents.length], ['greet', asked?.id, 1]);

    await bench.restart();
    assert.deepEqual(await waits(one.run), listed);
    assert.deepEqual(await bench.engine.nextSkillApproval(one.run, [], AbortSignal.timeout(5_000)), asked);
    assert.equal((await bench.engine.listRuns(10)).filter(({ approvals }) => approvals?.length === 1).length, 2);

    // The person changes the skill and trusts that content: what was asked of the earlier one is answered, too.
    writeFileSync(join(bench.repo.root, '.agents/skills/greet/SKILL.md'), `${GREET}Be kind.\n`);
    await bench.skills?.registry.reload();
    await trust('greet');
    assert.deepEqual([await waits(one.run), await waits(two.run)], [[], []]);
    const tellings = () => told.filter(({ text }) => /trusts the skill greet now/.test(text));
    await bench.waitUntil('both are told', async () => new Set(tellings().map(({ who }) => who)).size === 2);
    goOn = true;
    for (const { run } of [one, two]) await bench.waitEnd(run);
    assert.equal(new Set(tellings().map(({ text }) => text)).size, 1);
    const { events } = await bench.engine.events({ after: 0, waitMs: 0, limit: 5_000, signal: never() });
    const count = (type: string) => events.filter((event) => event.type === type).length;
    assert.deepEqual([count('skill.wanted'), count('skill.answered')], [2, 2]);
  });

  it('are made use of when the trust comes while the agent is about to end without', async () => {
    await open((request) => {
      const results = toolResults(request);
      const last = results.at(-1) ?? '';
      if (results.length === 0 || /the person has answered/.test(last)) return call('use_skill', { name: 'greet' });
      return /greet politely/.test(last) ? finish('Greeted.') : { ...finish('Did without.'), latencyMs: 500 };
    });
    const { run } = await bench.engine.startRun({ task: 'Say hello', options: { maxAgents: 1 } });
    await bench.engine.nextSkillApproval(run, [], AbortSignal.timeout(10_000));
    const ending = async (): Promise<boolean> => bench.model.requests.length === 2;
    await bench.waitUntil('its last call', ending);
    await trust('greet');
    assert.equal((await bench.waitEnd(run)).report, 'Greeted.');
  });

  it('make no result incomplete that would have been whole without the trust', async () => {
    const script = (request: ParsedRequest): ScriptedAnswer =>
      toolResults(request).length === 0
        ? call('use_skill', { name: 'greet' })
        : { ...finish('Did without.'), latencyMs: 500 };
    bench = await openBench({ files: FILES, skills: true, limits: { turns: 3 }, script });
    const { run } = await bench.engine.startRun({ task: 'Say hello', options: { maxAgents: 1 } });
    await bench.engine.nextSkillApproval(run, [], AbortSignal.timeout(10_000));
    await bench.waitUntil('its last call', async () => bench.model.requests.length === 2);
    await trust('greet');
    const view = await bench.waitEnd(run);
    assert.deepEqual([view.state, view.report], ['answered', 'Did without.']);
  });

  it('may be trusted, changed or refused while no engine was there, which the next one knows', async () => {
    let goOn = false;
    const told: string[] = [];
    await open((request) => {
      told.push(request.lastUser);
      const [, name = ''] = /with (\S+)/.exec(request.firstUser) ?? [];
      const results = toolResults(request);
      if (results.length === 0) return call('use_skill', { name });
      const last = results.at(-1) ?? '';
      if (goOn) return /Be kind|has refused it/.test(last) ? finish(last) : call('use_skill', { name });
      return looksAround(results);
    });
    const start = async (name: string) =>
      (await bench.engine.startRun({ task: `Do it with ${name}`, options: {} })).run;
    const [greet, count] = [await start('greet'), await start('count-lines')];
    const [first, second] = await Promise.all(
      [greet, count].map((run) => bench.engine.nextSkillApproval(run, [], AbortSignal.timeout(10_000))),
    );
    await bench.engine.decideSkillApproval(second?.id ?? '', false);
    writeFileSync(join(bench.repo.root, '.agents/skills/greet/SKILL.md'), `${GREET}Be kind.\n`);
    await bench.restart();
    const again = await bench.engine.nextSkillApproval(greet, [], AbortSignal.timeout(5_000));
    assert.notEqual(again?.id, first?.id, 'asked for the content that there is now');
    assert.equal((await bench.engine.runStatus(greet)).approvals?.length, 1);
    assert.equal((await bench.engine.runStatus(count)).approvals, undefined, 'it was refused before');
    // As if the engine had died between the grant and the message.
    await bench.skills?.registry.trust('greet', (await skill('greet')).hash);
    await bench.restart();
    assert.equal((await bench.engine.runStatus(greet)).approvals, undefined);
    await bench.waitUntil('it is told', async () => told.some((text) => /trusts the skill greet now/.test(text)));
    goOn = true;
    assert.match((await bench.waitEnd(greet)).report ?? '', /Be kind/);
    assert.match((await bench.waitEnd(count)).report ?? '', /The person has refused it/);
  });
});
