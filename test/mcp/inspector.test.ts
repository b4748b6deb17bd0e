import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { startHttp } from '../../mcp-server/faces/http/server.ts';
import { digestOf, openTokenBook } from '../../mcp-server/faces/http/tokens.ts';
import { openMcpFace } from '../../mcp-server/faces/mcp/face.ts';
import { openStage, type Stage } from '../support/coppice-process.ts';
import { createFakeEngine } from '../support/fake-engine.ts';
import { createFakeSkills } from '../support/fake-skills.ts';

/** Path of `clients/launcher/build/index.js` of @modelcontextprotocol/inspector, where it is installed. */
const INSPECTOR = process.env['COPPICE_TEST_INSPECTOR'];
const TOKEN = 'a-token-for-the-inspector';

describe("the official inspector's command line", function () {
  this.timeout(120_000);
  let stage: Stage;

  before(function () {
    if (!INSPECTOR) return this.skip();
    stage = openStage({ environment: { COPPICE_TOKEN: TOKEN } });
  });
  after(() => stage?.close());

  const inspect = async (...args: readonly string[]): Promise<string> => {
    const child = spawn(process.execPath, [INSPECTOR ?? '', '--cli', ...args], {
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
  const overHttp = (url: string) => [url, '--transport', 'http', '--header', `Authorization: Bearer ${TOKEN}`];

  for (const era of ['legacy', 'modern'])
    it(`lists and calls tools over HTTP and stdio (${era})`, async () => {
      const running = stage.start('serve', '--port', '0', '--json');
      await running.says('"serving"');
      const { mcp } = JSON.parse(running.stdout()) as { mcp: string };
      const stdio = ['--', process.execPath, stage.script, 'mcp', '--repo', stage.repo.root];
      for (const [before, after] of [
        [overHttp(mcp), []],
        [[], stdio],
      ] as const) {
        const ask = (...args: string[]) => inspect(...before, '--protocol-era', era, ...args, ...after);
        assert.match(await ask('--method', 'tools/list', '--strict'), /"name": ?"run_start"/);
        const called = await ask('--method', 'tools/call', '--tool-name', 'run_list', '--tool-arg', 'limit=5');
        assert.match(called, /"structuredContent": ?\{\s*"runs": ?\[\]/);
      }
      running.child.kill('SIGINT');
      await running.ended;
    });

  it('lists, reads and verifies skills', async () => {
    const skills = createFakeSkills();
    skills.put('repository-map', {}, { 'references/guide.md': '# Guide\n', 'logo.png': Buffer.from([1, 2, 255]) });
    skills.put('messy', { body: 'x\n' }, { 'SKILL.md': 'x\n' });
    const face = openMcpFace({ engine: createFakeEngine(), version: '1.0.0', skills, log: () => {} });
    const given = { name: 'test', scope: 'read' as const, sha256: digestOf(TOKEN) };
    const tokens = openTokenBook('/nowhere', [given]);
    const http = await startHttp({ face, port: 0, tokens, origins: [], log: () => {} });
    try {
      const ask = (...args: string[]) => inspect(...overHttp(`${http.url}/mcp`), ...args);
      const listed = await ask('--method', 'skills/list', '--verify');
      assert.match(
        listed,
        /skill:\/\/repository-map\/SKILL\.md[^]*skill:\/\/messy\/SKILL\.md|skill:\/\/messy[^]*repository-map/,
      );
      assert.match(await ask('--method', 'skills/get', '--uri', 'skill://repository-map/SKILL.md'), /sha256:/);
      const folder = await ask('--method', 'resources/directory/read', '--uri', 'skill://repository-map');
      assert.match(folder, /inode\/directory/);
    } finally {
      await http.close();
      face.close();
    }
  });
});
