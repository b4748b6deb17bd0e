// dist/coppice.js: starts dist/program.js with what was compiled of it before.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import v8 from 'node:v8';
import vm from 'node:vm';
import zlib from 'node:zlib';

/*
 * Most of a start is compiling. Node's own cache holds what is compiled when a file is loaded; functions that are
 * compiled when they are first called are not in it, and those are nearly all. This one is made at the end of a process,
 * of all that was called in it, and the next few processes add what they called. V8 takes it only for its own version and
 * flags; the sums tell another program, or a file that is damaged. Without a cache all goes on as ever.
 */
const FOLDER = import.meta.dirname;
const PROGRAM = join(FOLDER, 'program.js');
const COMPILED = join(FOLDER, '.compiled');

/** Commands that live longer or call other code than all the rest: each has a file of its own. */
const KINDS = ['engine', 'mcp', 'run', 'serve'];

/** Processes that add to a file before it stays as it is. */
const MOST_ADDITIONS = 5;

/** Sum of the program, sum of the data, and how many processes the data comes from: 32 bits each. */
const HEADER_BYTES = 12;

const OLD_MS = 30 * 86_400_000;

interface Kept {
  readonly data: Buffer;
  readonly additions: number;
}

const fileName = (): string => {
  const kind = KINDS.find((name) => name === process.argv[2]) ?? 'other';
  return join(COMPILED, `${kind}-${v8.cachedDataVersionTag().toString(16)}-${process.getuid?.() ?? 0}`);
};

const readKept = (file: string, programSum: number): Kept | null => {
  try {
    const bytes = readFileSync(file);
    const data = bytes.subarray(HEADER_BYTES);
    const isWhole = bytes.readUInt32LE(0) === programSum && bytes.readUInt32LE(4) === zlib.crc32(data);
    return isWhole ? { data, additions: bytes.readUInt32LE(8) } : null;
  } catch {
    return null;
  }
};

/** What an earlier Node, or a process that was killed while it wrote, has left. */
const removeOld = (): void => {
  for (const name of readdirSync(COMPILED)) {
    const path = join(COMPILED, name);
    if (statSync(path).mtimeMs < Date.now() - OLD_MS) rmSync(path, { recursive: true, force: true });
  }
};

/** In one step, so that nobody reads half of it. */
const keep = (file: string, programSum: number, script: vm.Script, additions: number): void => {
  mkdirSync(COMPILED, { recursive: true, mode: 0o700 });
  if (additions === 1) removeOld();
  const data = script.createCachedData();
  const header = Buffer.alloc(HEADER_BYTES);
  for (const [at, value] of [programSum, zlib.crc32(data), additions].entries()) header.writeUInt32LE(value, at * 4);
  const own = `${file}.${process.pid}`;
  try {
    writeFileSync(own, Buffer.concat([header, data]), { mode: 0o600 });
    renameSync(own, file);
  } finally {
    rmSync(own, { force: true });
  }
};

/** Where it cannot be kept, the next start compiles again, and nobody has to hear of it. */
const tryToKeep = (file: string, programSum: number, script: vm.Script, additions: number): void => {
  try {
    keep(file, programSum, script, additions);
  } catch {
    // As said.
  }
};

const WRAPPER = '(function (exports, require, module, __filename, __dirname) {';

const start = (): void => {
  const source = readFileSync(PROGRAM, 'utf8');
  const sum = zlib.crc32(source);
  const file = fileName();
  const kept = readKept(file, sum);
  const script = new vm.Script(`${WRAPPER}${source}\n})`, {
    filename: PROGRAM,
    // So that positions in the program are as they are in its file.
    columnOffset: -WRAPPER.length,
    // Node warns on stderr once something is really imported by it; the program has no such import.
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(kept && { cachedData: kept.data }),
  });
  const additions = kept && script.cachedDataRejected !== true ? kept.additions + 1 : 1;
  if (additions <= MOST_ADDITIONS) process.once('exit', () => tryToKeep(file, sum, script, additions));
  const module = { exports: {} };
  script.runInThisContext().call(module.exports, module.exports, createRequire(PROGRAM), module, PROGRAM, FOLDER);
};

// An older Node lacks what this takes.
if (typeof zlib.crc32 === 'function' && vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER !== undefined) start();
else createRequire(PROGRAM)(PROGRAM);
