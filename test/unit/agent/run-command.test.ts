import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ToolResult } from '../../../mcp-server/agent/tool.ts';
import { runTool } from '../../../mcp-server/agent/tools/tools.ts';
import type { Permissions } from '../../../mcp-server/domain/run.ts';
import { contextFor, never } from './fixtures.ts';

/** A dead process that nobody has collected yet is not alive. */
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

const waitUntil = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await condition()) return;
    await sleep(20);
  }
  assert.fail('It did not come true in four seconds.');
};

describe('run_command', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coppice-command-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const run = (
    argv: readonly string[],
    more: { commands?: Permissions['commands']; timeout_s?: number; signal?: AbortSignal } = {},
  ): Promise<ToolResult> => {
    const context = contextFor(
      {},
      {
        folder: async () => folder,
        environment: { PATH: process.env['PATH'] ?? '', GREETING: 'hello' },
        options: { permissions: { commands: more.commands ?? 'any' } },
      },
    );
    const input = { argv, ...(more.timeout_s === undefined ? {} : { timeout_s: more.timeout_s }) };
    return runTool(context, { id: 'c', name: 'run_command', arguments: JSON.stringify(input) }, more.signal ?? never());
  };
  const script = (code: string, ...args: readonly string[]): readonly string[] => [
    process.execPath,
    '-e',
    code,
    ...args,
  ];

  it('says the exit code and the output, in the agent’s folder, without the engine’s environment', async () => {
    process.env['COPPICE_TEST_SECRET'] = 'secret';
    try {
      const code =
        'console.log(process.cwd(), process.env.GREETING, process.env.COPPICE_TEST_SECRET); console.error("\\x1b[31mred\\x1b[0m")';
      const result = await run(script(code));
      assert.equal(result.ok, true);
      assert.match(result.output, /^exit code 0\n/);
      assert.match(result.output, /coppice-command-\S+ hello undefined/);
      assert.match(result.output, /^red$/m);
    } finally {
      delete process.env['COPPICE_TEST_SECRET'];
    }
    assert.deepEqual(await run(script('process.exit(3)')), { ok: false, output: 'exit code 3\n(no output)' });
  });

  it('uses no shell: what looks like a second command is an argument', async () => {
    const result = await run(script('console.log(process.argv.slice(1).join("|"))', '&& echo x', '$(id)', '*'));
    assert.equal(result.output, 'exit code 0\n&& echo x|$(id)|*');
  });

  it('runs only allowed programs, by their exact names', async () => {
    const commands = { allowed: ['node'] };
    assert.match((await run(['node', '-p', '1+1'], { commands })).output, /^exit code 0\n2$/);
    for (const program of [process.execPath, './node', 'nodejs', 'NODE', '']) {
      const refused = await run([program, '-p', '1'], { commands });
      assert.equal(refused.ok, false);
      assert.match(refused.output, /is not allowed\. Allowed, by exactly these names: node/);
    }
    assert.match((await run(['node'], { commands: 'off' })).output, /^You may not use run_command/);
  });

  it('says that a program does not exist', async () => {
    assert.match((await run(['coppice-no-such-program'])).output, /could not be started: there is no such program/);
  });

  it('keeps the beginning and the end of a long output', async () => {
    const result = await run(script('for (let i = 0; i < 200000; i++) console.log("line " + i)'));
    assert.ok(result.output.length < 2600);
    assert.match(result.output, /^exit code 0\nline 0\n/);
    assert.match(result.output, /line 199999$/);
    assert.match(result.output, /characters cut/);
  });

  it('ends the program and all that it started when the time is over', async function () {
    if (process.platform === 'win32') this.skip();
    const pids = join(folder, 'pids');
    const child = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)';
    const code = `const c = require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { stdio: "inherit" });
      require("fs").writeFileSync(${JSON.stringify(pids)}, process.pid + " " + c.pid); console.log("started"); setInterval(() => {}, 1000);`;
    const result = await run(script(code), { timeout_s: 1 });
    assert.equal(result.ok, false);
    assert.match(result.output, /^ended because it ran longer than 1 s\nstarted/);
    const [parent = 0, grandchild = 0] = (await readFile(pids, 'utf8')).split(' ').map(Number);
    await waitUntil(() => !isAlive(parent) && !isAlive(grandchild));
  });

  it('leaves nothing behind in the background', async function () {
    if (process.platform === 'win32') this.skip();
    const code = `const c = require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" }); c.unref(); console.log(c.pid); process.exit(0)`;
    const result = await run(script(code));
    const pid = Number(/^exit code 0\n(\d+)$/.exec(result.output)?.[1]);
    assert.ok(pid > 1);
    await waitUntil(() => !isAlive(pid));
  });

  it('ends at once when the engine stops, and throws so that the turn is not taken as done', async () => {
    const stop = new AbortController();
    const mark = join(folder, 'mark');
    await writeFile(mark, '');
    const code = `require("fs").writeFileSync(${JSON.stringify(mark)}, String(process.pid)); setInterval(() => {}, 1000)`;
    const running = run(script(code), { signal: stop.signal });
    await waitUntil(async () => (await readFile(mark, 'utf8')) !== '');
    const pid = Number(await readFile(mark, 'utf8'));
    stop.abort();
    await assert.rejects(running, { name: 'AbortError' });
    await waitUntil(() => !isAlive(pid));
  });

  it('says that no program could be started when no file can be opened any more', async () => {
    const module = new URL('../../../mcp-server/agent/tools/process.ts', import.meta.url).href;
    const code = `
      import { openSync } from 'node:fs';
      import { runFilter, runProcess } from '${module}';
      const request = { argv: ['/bin/true'], folder: '/', environment: {}, timeoutMs: 2000, keepChars: 9, commandsDir: null };
      const { signal } = new AbortController();
      await runProcess(request, signal);
      try { for (;;) openSync('/dev/null', 'r'); } catch {}
      const ended = [await runProcess(request, signal), await runFilter({ ...request, input: '', saysInner: true }, signal)];
      process.stdout.write(ended.map(({ kind, code }) => kind + ' ' + code).join());
      process.exit();`;
    const shell = 'ulimit -n 128 && exec "$0" --input-type=module -e "$1"';
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', shell, process.execPath, code]);
    assert.equal(stdout, 'unstartable EMFILE,unstartable EMFILE');
  });
});
