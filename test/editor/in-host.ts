import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Editor } from '../../.tools/editor.ts';
import { folderAddress, startEditor } from './editor-server.ts';
import { MARK } from './mark.ts';

const ROOT = join(import.meta.dirname, '../..');
const LIMIT_MS = 120_000;

/** Runs a suite of `host/` in the extension host of a real VS Code, with the fake engine. Resolves with whether it passed. */
export const runInHost = async (installed: Editor, suite: 'trusted' | 'untrusted'): Promise<boolean> => {
  const stage = await mkdtemp(join(tmpdir(), 'coppice-host-'));
  const extension = await stageExtension(stage);
  const folder = join(stage, 'Ein Projekt mit Ümlaut');
  await mkdir(folder);
  spawnSync('git', ['init', '-q', '-b', 'main'], { cwd: folder });
  const env = {
    COPPICE_TEST_SUITE: suite,
    COPPICE_FAKE_WORKERS: '1000',
    COPPICE_FAKE_PER_STEP: '3',
    COPPICE_FAKE_STEP_MS: '50',
  };
  const editor = await startEditor({ installed, trusted: suite === 'trusted', driver: true, env });
  try {
    const page = await editor.newPage();
    const exit = Promise.withResolvers<number>();
    await page.exposeFunction('codeAutomationLog', (_type: string, args: unknown[]) => {
      const [line] = args;
      if (typeof line === 'string' && line.startsWith(MARK)) console.log(line.slice(MARK.length));
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
    await editor.close();
    await rm(stage, { recursive: true, force: true });
  }
};

/** A copy of the built extension with the fake engine in place of the real one, and the tests beside it. */
const stageExtension = async (stage: string): Promise<string> => {
  const extension = join(stage, 'extension');
  for (const path of ['package.json', 'media', 'dist/extension.js', 'dist/package.json']) {
    await cp(join(ROOT, path), join(extension, path), { recursive: true });
  }
  const bundle = { bundle: true, platform: 'node', format: 'cjs', absWorkingDir: ROOT, logLevel: 'error' } as const;
  await build({ ...bundle, entryPoints: ['test/editor/fake-coppice.ts'], outfile: join(extension, 'dist/coppice.js') });
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
