import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandsDirOf, endOrphans, noteCommand } from '../../../mcp-server/agent/tools/orphans.ts';
import { runTool } from '../../../mcp-server/agent/tools/tools.ts';
import { contextFor, never } from './fixtures.ts';

describe('Commands that a killed engine left', () => {
  let stateDir: string;
  let commandsDir: string;
  const started: ChildProcess[] = [];
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'coppice-örphans-'));
    commandsDir = commandsDirOf(stateDir);
    for (const folder of ['commands', 'worktrees']) mkdirSync(join(stateDir, folder));
  });
  afterEach(() => {
    for (const child of started.splice(0)) endGroup(child);
    rmSync(stateDir, { recursive: true, force: true });
  });

  const endGroup = ({ pid }: ChildProcess): void => {
    try {
      if (pid) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  };
  const start = (code: string): ChildProcess & { readonly pid: number } => {
    const child = spawn(process.execPath, ['-e', code], {
      cwd: join(stateDir, 'worktrees'),
      detached: true,
      stdio: 'ignore',
    });
    assert.ok(child.pid);
    started.push(child);
    return child as ChildProcess & { readonly pid: number };
  };
  const waiting = () => start('setInterval(() => {}, 1000)');
  const notes = (): readonly string[] => readdirSync(commandsDir);

  it('are ended, and forgotten', async () => {
    const child = waiting();
    noteCommand(commandsDir, child.pid);
    const ended = once(child, 'exit');
    assert.equal(await endOrphans(stateDir), 1);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.deepEqual(notes(), []);
    assert.equal(await endOrphans(stateDir), 0);
  });

  it('are left alone when the number belongs to another process by now', async () => {
    const child = waiting();
    noteCommand(commandsDir, child.pid);
    const file = join(commandsDir, String(child.pid));
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(/\d\n$/, (digit) => `${(Number(digit) + 1) % 10}\n`),
    );
    assert.equal(await endOrphans(stateDir), 0);
    assert.equal(child.exitCode ?? child.signalCode, null);
    assert.deepEqual(notes(), []);
  });

  it('are not looked for in notes that are broken or that name what nobody started', async () => {
    const child = waiting();
    for (const name of ['0', '1', '-1', 'x', String(process.pid)])
      writeFileSync(join(commandsDir, name), `${name} 1\n`);
    writeFileSync(join(commandsDir, String(child.pid)), `${child.pid} `);
    assert.equal(await endOrphans(stateDir), 0);
    assert.equal(child.exitCode ?? child.signalCode, null);
  });

  it('are none where no command ever ran', async () => {
    assert.equal(await endOrphans(join(stateDir, 'nowhere')), 0);
  });

  const onLinux = process.platform === 'linux' ? it : it.skip;
  onLinux('are ended as well when only what they started lives on', async () => {
    const inner = `require('node:fs').writeFileSync('inner', String(process.pid)); setInterval(() => {}, 1000)`;
    const child = start(
      `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(inner)}], { stdio: 'ignore' }).unref();
       setTimeout(() => {}, 200)`,
    );
    noteCommand(commandsDir, child.pid);
    await once(child, 'exit');
    const pid = await readSoon(join(stateDir, 'worktrees/inner'));
    assert.equal(await endOrphans(stateDir), 1);
    assert.throws(() => isRunning(pid));
  });

  onLinux('are ended as well where scripts of skills have left their group', async () => {
    const work = join(realpathSync(stateDir), 'tmp', 'skill-ünd-x', 'work');
    const waitIn = (TMPDIR: string) => {
      const options = { env: { TMPDIR }, detached: true, stdio: 'ignore' } as const;
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], options);
      started.push(child);
      // It is not itself yet when it has just been started.
      while (readFileSync(`/proc/${child.pid}/environ`, 'utf8') === '');
      return child;
    };
    const [script, other] = [waitIn(work), waitIn(join(work, '../../skill-ended/work'))];
    assert.equal(await endOrphans(stateDir), 0, 'no engine has left a folder');
    mkdirSync(work, { recursive: true });
    mkdirSync(join(work, '../../import-x'));
    const ended = once(script, 'exit');
    assert.equal(await endOrphans(stateDir), 1);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.equal(other.exitCode ?? other.signalCode, null);
    assert.deepEqual(readdirSync(join(stateDir, 'tmp')), ['import-x']);
  });

  const readSoon = async (file: string): Promise<number> => {
    for (let tries = 0; tries < 200; tries += 1) {
      try {
        const text = readFileSync(file, 'utf8');
        if (text) return Number(text);
      } catch {
        // Not yet.
      }
      await sleep(20);
    }
    throw new Error(`${file} was not written.`);
  };
  /** Throws when it is not. */
  const isRunning = (pid: number): void => {
    if (/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) throw new Error('It is dead.');
  };

  it('were noted while they ran, and only then', async () => {
    const code = `process.stdout.write(require('node:fs').readdirSync(${JSON.stringify(commandsDir)}).join() + ' ' + process.pid)`;
    const argv = [process.execPath, '-e', `setTimeout(() => { ${code} }, 100)`];
    const options = { permissions: { commands: 'any' as const } };
    const context = contextFor({}, { folder: async () => stateDir, commandsDir, options });
    const { output } = await runTool(
      context,
      { id: 'c', name: 'run_command', arguments: JSON.stringify({ argv }) },
      never(),
    );
    const [noted, pid] = output.split('\n').at(-1)?.split(' ') ?? [];
    assert.ok(pid);
    assert.equal(noted, pid);
    assert.deepEqual(notes(), []);
  });
});
