// A real VS Code for the tests, from the npm package code-server: nothing else is downloaded, no display is needed.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { npm, run } from './npm.ts';

/** The version is pinned: `--enable-smoke-test-driver`, on which the tests stand, is not documented. */
const VERSION = '4.139.1';
const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const FOLDER = join(ROOT, '.cache', `code-server-${VERSION}`);
const READY = join(FOLDER, '.ready');
const NATIVE = [
  '@vscode/spdlog',
  '@vscode/native-watchdog',
  '@vscode/sqlite3',
  'node-pty',
  '@parcel/watcher',
  '@vscode/fs-copyfile',
  '@vscode/deviceid',
];

/** Where the editor under test lies on this machine. */
export interface Editor {
  /** `server-main.js` of the VS Code server; run it with `process.execPath`. */
  readonly serverMain: string;
  /** A Chromium that playwright-core can drive. */
  readonly chromium: string;
}

/** Installs the editor once (about two minutes, 640 MB below `.cache/`); later calls return at once. Throws with what to do. */
export const ensureEditor = async (say: (line: string) => void = () => {}): Promise<Editor> => ({
  serverMain: await ensureServer(say),
  chromium: await ensureChromium(say),
});

const ensureServer = async (say: (line: string) => void): Promise<string> => {
  const vscode = join(FOLDER, 'node_modules', 'code-server', 'lib', 'vscode');
  const serverMain = join(vscode, 'out', 'server-main.js');
  if (existsSync(serverMain) && (await readFile(READY, 'utf8').catch(() => '')) === VERSION) return serverMain;
  say(`installing VS Code (code-server ${VERSION}) for the tests into .cache/, once; this takes about two minutes`);
  await mkdir(FOLDER, { recursive: true });
  await writeFile(join(FOLDER, 'package.json'), '{ "name": "editor-under-test", "private": true }\n');
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // Its own postinstall is left out: it compiles a module that needs a system header, and tests do not need it.
  await npm(['install', `code-server@${VERSION}`, ...quiet], FOLDER);
  await npm(['install', '--omit=dev', ...quiet], vscode);
  await npm(['rebuild', ...NATIVE, '--loglevel=error'], vscode);
  await npm(['install', '--omit=dev', ...quiet], join(vscode, 'extensions'));
  if (!existsSync(serverMain))
    throw new Error(`code-server ${VERSION} has no ${serverMain}; delete ${FOLDER} and try again.`);
  await writeFile(READY, VERSION);
  return serverMain;
};

const CHROMIUMS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

const ensureChromium = async (say: (line: string) => void): Promise<string> => {
  const found = [...CHROMIUMS, chromium.executablePath()].find((path) => existsSync(path));
  if (found) return found;
  say('installing Chromium for the tests, once');
  if (existsSync('/etc/debian_version') && process.getuid?.() === 0) {
    try {
      await run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'], ROOT);
      if (existsSync('/usr/bin/chromium')) return '/usr/bin/chromium';
    } catch {
      say('apt-get could not install Chromium; trying the download of Playwright');
    }
  }
  const cli = join(dirname(createRequire(import.meta.url).resolve('playwright-core/package.json')), 'cli.js');
  await run(process.execPath, [cli, 'install', 'chromium'], ROOT).catch((error: unknown) => {
    throw new Error(
      'The editor tests need Chromium or Chrome, and none could be installed. Install one and try again.',
      {
        cause: error,
      },
    );
  });
  return chromium.executablePath();
};

if (import.meta.main) {
  const editor = await ensureEditor((line) => console.log(line));
  console.log(`${editor.serverMain}\n${editor.chromium}`);
}
