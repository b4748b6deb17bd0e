import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { bundle } from '../support/coppice-process.ts';

describe('the start of the program', () => {
  let root: string;
  const compiled = (): string => join(root, 'dist/.compiled');
  const version = (): string => {
    const env = { PATH: process.env['PATH'], HOME: root };
    return execFileSync(process.execPath, [join(root, 'dist/coppice.js'), '--version'], { env, encoding: 'utf8' });
  };
  const filesIn = (folder: string): readonly string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'coppice-start-'));
    const dist = dirname(bundle());
    mkdirSync(join(root, 'dist'));
    for (const name of ['coppice.js', 'program.js', 'package.json', 'migrations'])
      cpSync(join(dist, name), join(root, 'dist', name), { recursive: true });
    cpSync(join(dist, '../package.json'), join(root, 'package.json'));
    symlinkSync(join(dist, '../node_modules'), join(root, 'node_modules'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('keeps what was compiled beside the program, in one file however often it is started', () => {
    assert.equal(existsSync(compiled()), false);
    assert.match(version(), /^\d+\.\d+\.\d+\n$/);
    const kept = filesIn(compiled());
    assert.ok(kept.length > 0);
    version();
    assert.deepEqual(filesIn(compiled()), kept);
  });

  it('goes on where nothing can be kept there', () => {
    writeFileSync(compiled(), 'A file where a folder is to be.');
    assert.match(version(), /^\d+\.\d+\.\d+\n$/);
  });
});
