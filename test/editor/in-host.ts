import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Editor } from '../../.tools/editor.ts';
import { folderAddress, startEditor } from './editor-server.ts';
import { MARK } from './mark.ts';

const ROOT = join(import.meta.dirname, '../..');
const LIMIT_MS = 120_000;

/** The suites of `host/`. */
type Suite = 'trusted' | 'untrusted' | 'idle' | 'skills';

/** What nobody looks at takes seconds to draw: a welcome and, where a suite has no need of it, the editor's own agent. */
const settingsFor = (suite: Suite): Readonly<Record<string, unknown>> => ({
  'workbench.startupEditor': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': suite === 'untrusted' || suite === 'idle',
});

/**
 * Runs a suite of `host/` in the extension host of a real VS Code, with the fake engine; `skills` runs with the real one.
 * Resolves with whether it passed; `say` gets its report.
 */
export const runInHost = async (installed: Editor, suite: Suite, say: (line: string) => void): Promise<boolean> => {
  const stage = await mkdtemp(join(tmpdir(), 'coppice-host-'));
  const extension = await stageExtension(stage, suite === 'skills');
  const folder = join(stage, 'Ein Projekt mit Ümlaut');
  const stranger = join(folder, '.claude/skills/of-a-stranger');
  await mkdir(suite === 'untrusted' ? stranger : folder, { recursive: true });
  if (suite === 'untrusted') await writeFile(join(stranger, 'SKILL.md'), 'Do as I say.\n');
  spawnSync('git', ['init', '-q', '-b', 'main'], { cwd: folder });
  const person = ['-c', 'user.name=A person', '-c', 'user.email=person@example.com'];
  spawnSync('git', [...person, 'commit', '-q', '--allow-empty', '-m', 'Start'], { cwd: folder });
  const env = {
    COPPICE_TEST_SUITE: suite,
    COPPICE_FAKE_WORKERS: '1000',
    COPPICE_FAKE_PER_STEP: '3',
    COPPICE_FAKE_STEP_MS: '50',
    ...(suite === 'idle' && {
      COPPICE_FAKE_FAILS: join(stage, 'no-engine'),
      COPPICE_FAKE_PLANNED: join(stage, 'planned'),
    }),
  };
  if (suite === 'idle') await writeFile(join(stage, 'no-engine'), '');
  const editor = await startEditor({
    installed,
    trusted: suite !== 'untrusted',
    driver: true,
    env,
    settings: settingsFor(suite),
  });
  try {
    const page = await editor.newPage();
    const exit = Promise.withResolvers<number>();
    await page.exposeFunction('codeAutomationLog', (_type: string, args: unknown[]) => {
      const [line] = args;
      if (typeof line === 'string' && line.startsWith(MARK)) say(line.slice(MARK.length));
    });
    await page.exposeFunction('codeAutomationExit', (code: number) => exit.resolve(code));
    const remote = (path: string): string => `vscode-remote://${new URL(editor.origin).host}${path}`;
    await page.goto(
      folderAddress(editor.origin, folder, [
        ['extensionDevelopmentPath', remote(extension)],
        ['extensionTestsPath', remote(join(extension, 'dist/host-tests.js'))],
        ['enableProposedApi', ''],
        ['skipWelcome', 'true'],
      ]),
    );
    const limit = setTimeout(
      () => exit.reject(new Error(`The tests in the extension host took more than ${LIMIT_MS / 1000} s.`)),
      LIMIT_MS,
    );
    const code = await exit.promise;
    clearTimeout(limit);
    return code === 0;
  } finally {
    if (suite === 'skills') {
      const stop = [join(extension, 'dist/coppice.js'), 'stop', '--now', '--repo', folder];
      spawnSync(process.execPath, stop, { env: editor.env, stdio: 'ignore', timeout: 20_000 });
    }
    await editor.close();
    await rm(stage, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
};

/** A copy of the built extension with the fake engine in place of the real one unless that is wanted, and the tests beside it. */
const stageExtension = async (stage: string, real: boolean): Promise<string> => {
  const extension = join(stage, 'extension');
  for (const path of ['package.json', 'media', 'dist/extension.js', 'dist/package.json']) {
    await cp(join(ROOT, path), join(extension, path), { recursive: true });
  }
  const bundle = { bundle: true, platform: 'node', format: 'cjs', absWorkingDir: ROOT, logLevel: 'error' } as const;
  if (real) await stageEngine(extension);
  else
    await build({
      ...bundle,
      entryPoints: ['test/editor/fake-coppice.ts'],
      outfile: join(extension, 'dist/coppice.js'),
    });
  // Mocha stays where it is installed: it loads parts of itself by path.
  const mocha = join(ROOT, 'node_modules/mocha/index.js');
  await build({
    ...bundle,
    entryPoints: ['test/editor/host/index.ts'],
    outfile: join(extension, 'dist/host-tests.js'),
    external: ['vscode', mocha],
    alias: { mocha },
  });
  return extension;
};

/** What the program needs beside it, as in the package. */
const stageEngine = async (extension: string): Promise<void> => {
  for (const path of ['dist/coppice.js', 'dist/program.js', 'dist/migrations', 'skills'])
    await cp(join(ROOT, path), join(extension, path), { recursive: true });
  await mkdir(join(extension, 'node_modules'));
  await symlink(join(ROOT, 'node_modules/better-sqlite3'), join(extension, 'node_modules/better-sqlite3'));
};
