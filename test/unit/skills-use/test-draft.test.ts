import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFilter } from '../../../mcp-server/agent/tools/process.ts';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { openDrafts } from '../../../mcp-server/skills/drafts/drafts.ts';
import { type TestOutcome, testDraft } from '../../../mcp-server/skills/drafts/test-draft.ts';
import type { SpawnBounded } from '../../../mcp-server/skills/execute/bounded-process.ts';
import { runScript } from '../../../mcp-server/skills/execute/run-script.ts';
import { findBubblewrap, type Sandbox } from '../../../mcp-server/skills/execute/sandbox.ts';
import { seededRandom } from '../../support/engine.ts';

const spawn: SpawnBounded = (request, signal) => runFilter({ ...request, commandsDir: null }, signal);
const node = { path: process.execPath, environment: {}, permissionModel: true };

describe('The tests of a draft', () => {
  let top = '';
  let repository = '';
  beforeEach(() => {
    top = realpathSync(mkdtempSync(join(tmpdir(), 'cop-draft-test-')));
    repository = join(top, 'repository');
    mkdirSync(repository);
    writeFileSync(join(repository, 'secret.txt'), 'secret');
  });
  afterEach(() => rmSync(top, { recursive: true, force: true }));

  const test = async (
    files: Readonly<Record<string, string>>,
    sandbox: Sandbox | null,
  ): Promise<readonly TestOutcome[]> => {
    const stateDir = join(repository, '.coppice');
    const drafts = openDrafts({ stateDir, clock: systemClock, random: seededRandom(3) });
    const folder = join(stateDir, 'drafts/tool');
    for (const [path, text] of Object.entries({
      'SKILL.md': '---\nname: tool\ndescription: A.\n---\nDo.\n',
      ...files,
    })) {
      mkdirSync(join(folder, path, '..'), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const clock = systemClock;
    const parts = { spawn, node, sandbox, clock, tempDir: join(stateDir, 'tmp'), repository, environment: process.env };
    const never = new AbortController().signal;
    const run = (request: Parameters<typeof runScript>[1], signal: AbortSignal) => runScript(parts, request, signal);
    const outcomes = await testDraft({ stateDir, clock, run }, await drafts.get('tool'), never);
    assert.deepEqual(readdirSync(join(stateDir, 'tmp')), []);
    return outcomes;
  };
  const results = (outcomes: readonly TestOutcome[]) => outcomes.map(({ file, ok }) => [file, ok]);

  it('reach nothing of the repository, in whatever language', async function () {
    const sandbox = await findBubblewrap({ spawn, node });
    if (sandbox === null) this.skip(); // Bubblewrap is not there, or may not make namespaces.
    const file = join(repository, 'secret.txt');
    const outcomes = await test(
      {
        'tests/steal.mjs': `import { readFileSync } from 'node:fs';\nreadFileSync(${JSON.stringify(file)});`,
        'tests/test_steal.py': `open(${JSON.stringify(file)}).read()`,
        'tests/test_good.py': 'assert 1 + 1 == 2',
        'tests/test.sh': 'test -f "$COPPICE_SKILL_FOLDER/SKILL.md"',
        'tests/helper.py': 'raise Exception("no test")',
      },
      sandbox,
    );
    assert.deepEqual(results(outcomes), [
      ['tests/steal.mjs', false],
      ['tests/test.sh', true],
      ['tests/test_good.py', true],
      ['tests/test_steal.py', false],
    ]);
  });

  it('are run without a sandbox only where Node holds them', async () => {
    assert.deepEqual(results(await test({ 'tests/good.mjs': '' }, null)), [['tests/good.mjs', true]]);
    await assert.rejects(test({ 'tests/test_good.py': '' }, null), { code: 'permission-denied' });
  });
});
