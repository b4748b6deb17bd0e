import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { ensureInspector } from '../../.tools/inspector.ts';
import { openStage, type Running, type Stage } from '../support/coppice-process.ts';
import { makeRepository } from '../support/repository.ts';

const TOKEN = 'a-token-for-the-inspector';
const FILES = {
  '.agents/skills/messy/SKILL.md': 'Steps without any front matter.\n',
  '.agents/skills/messy/references/guide.md': '# Guide\n',
};

/** The inspector takes half a second to start, so each of its processes shows as much as it can. */
describe("the official inspector's command line", function () {
  this.timeout(60_000);
  let inspector: string;
  let stage: Stage;
  let serving: Running;
  let url: string;

  before(async function () {
    this.timeout(300_000);
    inspector = await ensureInspector((line) => console.error(line));
    stage = openStage({ repo: makeRepository(FILES), environment: { COPPICE_TOKEN: TOKEN } });
    serving = stage.start('serve', '--port', '0', '--json');
    await serving.says('"serving"');
    url = (JSON.parse(serving.stdout()) as { mcp: string }).mcp;
  });
  after(() => stage?.close());

  const inspect = async (...args: readonly string[]): Promise<string> => {
    const child = spawn(process.execPath, [inspector, '--cli', ...args], {
      cwd: stage.repo.root,
      env: stage.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    assert.equal(status, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  const overHttp = (...args: readonly string[]): Promise<string> =>
    inspect(url, '--transport', 'http', '--header', `Authorization: Bearer ${TOKEN}`, ...args);
  const overStdio = (...args: readonly string[]): Promise<string> =>
    inspect(...args, '--', process.execPath, stage.script, 'mcp', '--repo', stage.repo.root);

  const LIST = ['--method', 'tools/list', '--strict'];
  const CALL = ['--method', 'tools/call', '--tool-name', 'run_list', '--tool-arg', 'limit=5'];
  for (const [era, lists, calls] of [
    ['legacy', overHttp, overStdio],
    ['modern', overStdio, overHttp],
  ] as const)
    it(`lists the tools, whose schemas are good, and calls one, over HTTP and over stdio (${era})`, async () => {
      const [listed, called] = await Promise.all([
        lists('--protocol-era', era, ...LIST),
        calls('--protocol-era', era, ...CALL),
      ]);
      assert.match(listed, /"name": ?"run_start"/);
      assert.match(called, /"structuredContent": ?\{\s*"runs": ?\[\]/);
    });

  it('lists the skills, verifies their files, and reads one and its folder', async () => {
    const [listed, read, folder] = await Promise.all([
      overHttp('--method', 'skills/list', '--verify'),
      overHttp('--method', 'skills/get', '--uri', 'skill://repository-map/SKILL.md'),
      overHttp('--method', 'resources/directory/read', '--uri', 'skill://repository-map'),
    ]);
    for (const skill of ['messy', 'repository-map', 'release-notes'])
      assert.ok(listed.includes(`skill://${skill}/SKILL.md`), skill);
    assert.match(read, /sha256:/);
    assert.match(folder, /inode\/directory/);
  });
});
