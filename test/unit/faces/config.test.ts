import assert from 'node:assert/strict';
import {
  DEFAULTS,
  environmentSource,
  fileSource,
  flagSource,
  mergeConfig,
  mergePartial,
} from '../../../mcp-server/config.ts';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { flagOf } from '../../../mcp-server/faces/cli/arguments.ts';

const untracked = { tracked: false };
const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof UserError && error.code === 'bad-input', String(error));
    return error.message;
  }
  throw new assert.AssertionError({ message: 'It was accepted.' });
};

describe('the settings', () => {
  it('are the defaults when nobody says otherwise', () => {
    assert.deepEqual(mergeConfig([]), DEFAULTS);
    assert.equal(DEFAULTS.server, 'http://127.0.0.1:8080');
    assert.equal(DEFAULTS.budget, 500_000);
    assert.deepEqual(DEFAULTS.permissions, { commands: 'off' });
  });

  it('come from user file, repository file, environment and flags, each over the one before', () => {
    const sources = [
      fileSource('/home/config.json', '{"budget":1,"maxDepth":1,"maxAgents":1,"concurrency":1}', untracked),
      fileSource('/repo/.coppice/config.json', '{"maxDepth":2,"maxAgents":2,"concurrency":2}', untracked),
      environmentSource({ COPPICE_AGENTS: '3', COPPICE_CONCURRENCY: '3', COPPICE_API_KEY: 'secret', OTHER: 'x' }),
      flagSource({ concurrency: '4', server: undefined }, flagOf),
    ];
    const config = mergeConfig(sources);
    assert.deepEqual(
      [config.budget, config.maxDepth, config.maxAgents, config.concurrency, config.apiKey],
      [1, 2, 3, 4, 'secret'],
    );
    assert.deepEqual(mergePartial(sources), { budget: 1, maxDepth: 2, maxAgents: 3, concurrency: 4, apiKey: 'secret' });
  });

  it('take the set-up of worktrees key by key, and never from a file that git tracks', () => {
    const text = '{"worktree":{"setup":["npm","ci"]}}';
    const sources = [
      fileSource('/home/config.json', '{"worktree":{"setupTimeout":5000}}', untracked),
      fileSource('/repo/.coppice/config.json', text, untracked),
    ];
    assert.deepEqual(mergeConfig(sources).worktree, { setup: ['npm', 'ci'], setupTimeout: 5000 });
    assert.match(
      refusal(() => fileSource('/repo/.coppice/config.json', text, { tracked: true })),
      /"worktree\.setup" is not accepted from a file that git tracks/,
    );
    const wrong = (worktree: unknown) => refusal(() => mergeConfig([{ label: 'x', values: { worktree } }]));
    assert.match(wrong({ setup: 'npm ci' }), /"worktree\.setup" is wrong.*Give a program with its arguments/s);
    assert.match(wrong({ setupTimeout: 5 }), /Give milliseconds/);
    assert.match(wrong({ setupTimeout: 99_999_999_999 }), /Give milliseconds, from 1000 to a day/);
    assert.match(wrong({ set: [] }), /no setting "worktree\.set"\. Known settings: setup, setupTimeout/);
  });

  it('read a list of programs, and yes and no, from the environment', () => {
    const config = mergeConfig([environmentSource({ COPPICE_COMMANDS: 'npm, node', COPPICE_UNATTENDED: 'yes' })]);
    assert.deepEqual(config.permissions, { commands: { allowed: ['npm', 'node'] } });
    assert.equal(config.unattended, true);
    const hub = mergeConfig([environmentSource({ COPPICE_SKILL_HUB_HOSTS: 'Files.example.com, *.example.org:8443' })]);
    assert.deepEqual(hub.skillHubHosts, ['files.example.com', '*.example.org:8443']);
    for (const wrong of ['https://example.com', '*', '*.', 'a b', 'a/b', '', '-x.y', 'x.*'])
      assert.match(
        refusal(() => mergeConfig([fileSource('/x.json', JSON.stringify({ skillHubHosts: [wrong] }), untracked)])),
        /names of hosts.*files\.example\.com/,
        wrong,
      );
  });

  it('are refused with the source, the key as it was written there, and what to do', () => {
    const file = refusal(() => mergeConfig([fileSource('/x/config.json', '{"budget":"many"}', untracked)]));
    assert.match(file, /^\/x\/config\.json: "budget" is wrong: .*whole number/);
    assert.match(
      refusal(() => mergeConfig([environmentSource({ COPPICE_BUDGET: '-5' })])),
      /environment: COPPICE_BUDGET is wrong/,
    );
    assert.match(
      refusal(() => mergeConfig([flagSource({ maxAgents: '0' }, flagOf)])),
      /command line: --agents is wrong/,
    );
    assert.match(
      refusal(() => mergeConfig([flagSource({ server: 'localhost' }, flagOf)])),
      /--server is wrong.*http:\/\/host:port/,
    );
    const unknown = refusal(() => mergeConfig([fileSource('/x/config.json', '{"budgit":5}', untracked)]));
    assert.match(unknown, /no setting "budgit"\. Known settings: server, model/);
    assert.match(
      refusal(() => fileSource('/x/config.json', '{', untracked)),
      /config\.json is not valid JSON/,
    );
    assert.match(
      refusal(() => fileSource('/x/config.json', '[]', untracked)),
      /must hold a JSON object/,
    );
  });

  it('that came with a clone cannot send code away or let programs run', () => {
    const personal = [
      '{"server":"http://evil.example"}',
      '{"permissions":{"commands":"any"}}',
      '{"skillHubHosts":["evil.example"]}',
      '{"apiKey":"x"}',
      '{"planning":{"servers":[{"server":"http://evil.example"}]}}',
    ];
    for (const text of personal)
      assert.match(
        refusal(() => fileSource('/repo/.coppice/config.json', text, { tracked: true })),
        /git tracks/,
      );
    assert.equal(mergeConfig([fileSource('/r', '{"budget":7}', { tracked: true })]).budget, 7);
    assert.equal(mergeConfig([fileSource('/r', '{"server":"rehearsal"}', untracked)]).server, 'rehearsal');
  });

  it('of planning count one by one, from all sources', () => {
    const sources = [
      fileSource('/home/config.json', '{"planning":{"retries":2,"fanIn":7,"timeouts":{"worker":60000}}}', untracked),
      fileSource('/repo/config.json', '{"planning":{"fanIn":6,"gate":"ask"}}', { tracked: true }),
      environmentSource({
        COPPICE_WORKERS: '4',
        COPPICE_PLAN_CACHE: 'no',
        COPPICE_PATTERN: 'saga',
        COPPICE_LEVEL_NAMES: 'lead, ,hand',
      }),
      flagSource({ 'planning.pattern': 'pipeline', 'planning.retries': '0' }, flagOf),
    ];
    assert.deepEqual(mergePartial(sources).planning, {
      retries: 0,
      fanIn: 6,
      timeouts: { worker: 60_000, synthesizer: null, executive: null },
      gate: 'ask',
      workers: 4,
      cache: false,
      pattern: 'pipeline',
      levelNames: ['lead', '', 'hand'],
    });
    assert.equal(mergeConfig(sources).planning.distribution, 'least-loaded');
    assert.equal(mergePartial([environmentSource({})]).planning, undefined);
  });

  it('of planning are refused by the name that they have at their source', () => {
    assert.match(
      refusal(() => mergeConfig([fileSource('/x/c.json', '{"planning":{"retris":1}}', untracked)])),
      /no setting "planning\.retris"\. Known settings: pattern, domain/,
    );
    assert.match(
      refusal(() => mergeConfig([flagSource({ 'planning.fanIn': '1' }, flagOf)])),
      /--fan-in is wrong: .* from 2 to 50/,
    );
    assert.match(
      refusal(() => mergeConfig([environmentSource({ COPPICE_DISTRIBUTION: 'fair' })])),
      /COPPICE_DISTRIBUTION is wrong: .*least-loaded/,
    );
    assert.match(
      refusal(() => mergeConfig([fileSource('/x/c.json', '{"planning":{"timeouts":{"worker":5}}}', untracked)])),
      /"planning\.timeouts\.worker" is wrong/,
    );
  });
});
