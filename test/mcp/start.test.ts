import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { bundle } from '../support/coppice-process.ts';

const VERSION = /^\d+\.\d+\.\d+\n$/;

describe('the start of the program', () => {
  let root: string;
  const compiled = (): string => join(root, 'dist/.compiled');
  const version = (): string => {
    const env = { PATH: process.env['PATH'], HOME: root };
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/coppice.js'), '--version'], {
      env,
      encoding: 'utf8',
    });
    assert.deepEqual([status, stderr], [0, '']);
    return stdout;
  };
  const kept = (): string => {
    const [name = ''] = readdirSync(compiled());
    return join(compiled(), name);
  };

  /** How many processes the kept file comes from. */
  const additions = (): number => readFileSync(kept()).readUInt32LE(8);

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

  it('keeps what was compiled beside the program, in one file that only its user may read', () => {
    assert.equal(existsSync(compiled()), false);
    assert.match(version(), VERSION);
    assert.equal(readdirSync(compiled()).length, 1);
    if (process.platform !== 'win32') assert.equal(statSync(kept()).mode & 0o777, 0o600);
  });

  it('adds what the next few starts compile, and then leaves the file as it is', () => {
    for (let starts = 0; starts < 6; starts += 1) version();
    const [before, { mtimeMs, size }] = [readdirSync(compiled()), statSync(kept())];
    version();
    assert.deepEqual(readdirSync(compiled()), before);
    assert.deepEqual([statSync(kept()).mtimeMs, statSync(kept()).size], [mtimeMs, size]);
  });

  it('takes nothing from a file that is damaged, or that another program left, and makes a new one', () => {
    version();
    const whole = readFileSync(kept());
    const damaged = Buffer.from(whole);
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 9) ^ 1, damaged.length - 9);
    for (const bytes of [damaged, whole.subarray(0, whole.length / 2), Buffer.alloc(0)]) {
      writeFileSync(kept(), bytes);
      assert.match(version(), VERSION);
      assert.equal(additions(), 1, 'it is begun anew');
    }
    const program = join(root, 'dist/program.js');
    // As long as before: V8 itself would not see the difference.
    const text = readFileSync(program, 'utf8');
    writeFileSync(program, text.replace('.version}', '.varsion}').replace('.version;', '.varsion;'));
    assert.notEqual(readFileSync(program, 'utf8'), text);
    assert.equal(readFileSync(program, 'utf8').length, text.length);
    version();
    assert.equal(additions(), 1, 'what was compiled of the other one is not taken');
  });

  it('goes on where nothing can be kept there', () => {
    writeFileSync(compiled(), 'A file where a folder is to be.');
    assert.match(version(), VERSION);
  });
});
