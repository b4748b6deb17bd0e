import assert from 'node:assert/strict';
import { type HttpFace, startHttp } from '../../mcp-server/faces/http/server.ts';
import { type McpFace, openMcpFace } from '../../mcp-server/faces/mcp/face.ts';
import { conformanceFixture } from '../support/conformance-fixture.ts';
import { createFakeEngine } from '../support/fake-engine.ts';
import { createFakeSkills } from '../support/fake-skills.ts';
import { judge, type Verdict } from '../support/referee.ts';

/**
 * The tasks extension is offered to nobody: runs are tools with an id, which every client can follow. The referee runs
 * its scenarios without counting them.
 */
const NOT_OFFERED = /^server-tasks-/;

const failuresIn = (verdict: Verdict): string[] =>
  verdict.checks
    .filter(({ scenario, status }) => status === 'FAILURE' && !NOT_OFFERED.test(scenario))
    .map(({ scenario, id, error }) => `${scenario} ${id}: ${error}`);

describe("our server before the protocol's official referees", function () {
  this.timeout(170_000);
  let face: McpFace;
  let http: HttpFace;

  before(async () => {
    const skills = createFakeSkills();
    skills.put(
      'repository-map',
      {},
      { 'references/guide.md': '# Guide\n', 'assets/logo.png': Buffer.from([137, 80, 0, 1]) },
    );
    skills.put('a-small-one', {}, { 'references/deep/note.md': 'A note.\n' });
    face = openMcpFace({
      engine: createFakeEngine(),
      version: '1.0.0',
      skills,
      log: () => {},
      extend: conformanceFixture({ listChanged: () => skills.changed() }) as never,
    });
    http = await startHttp({ face, port: 0, tokens: null, origins: [], log: () => {} });
  });
  after(async () => {
    await http?.close();
    face?.close();
  });

  const passes = async (referee: 'stable' | 'next', atLeast: number, ...args: readonly string[]): Promise<void> => {
    const verdict = await judge(referee, `${http.url}/mcp`, ...args);
    const good = verdict.checks.filter(({ status }) => status === 'SUCCESS').length;
    assert.deepEqual(failuresIn(verdict), []);
    assert.equal(verdict.status, 0, verdict.output.slice(-4000));
    assert.ok(good >= atLeast, `${good} checks passed`);
  };

  it('passes the suite of 0.1.16', () => passes('stable', 40, '--suite', 'active'));
  it('passes what 2025-11-25 requires', () => passes('next', 84, '--requirements', '2025-11-25'));
  it('passes what 2026-07-28 requires', () => passes('next', 160, '--requirements', '2026-07-28'));
  for (const scenario of ['enumeration', 'manifest', 'directory'])
    it(`passes the ${scenario} of skills`, () => passes('next', 6, '--scenario', `sep-2640-skills-${scenario}`));
});
