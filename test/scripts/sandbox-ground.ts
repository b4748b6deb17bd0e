import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runFilter } from '../../mcp-server/agent/tools/process.ts';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import { contentHash } from '../../mcp-server/skills/content-hash.ts';
import type { SpawnBounded } from '../../mcp-server/skills/execute/bounded-process.ts';
import { runScript, type ScriptOutcome, type ScriptRequest } from '../../mcp-server/skills/execute/run-script.ts';
import { findBubblewrap, type Sandbox } from '../../mcp-server/skills/execute/sandbox.ts';
import { NO_MANIFEST } from '../../mcp-server/skills/manifest.ts';
import type { SkillPermissions } from '../../mcp-server/skills/port.ts';

/** Runs a program as scripts are run. */
export const spawn: SpawnBounded = (request, signal) => runFilter({ ...request, commandsDir: null }, signal);

/** The Node that runs the tests. */
export const node = { path: process.execPath, environment: {}, permissionModel: true };

/** How a script is run; what is left out is as in a repository on a machine with a sandbox. */
interface More {
  readonly root?: string;
  readonly unconfined?: boolean;
  readonly without?: boolean;
  readonly permissionModel?: boolean;
  readonly source?: ScriptRequest['skill']['source'];
}

/** Where scripts of skills are run: new for each test, with a server beside it that counts who connects. */
export interface SandboxGround {
  readonly top: string;
  /** In `top`. */
  readonly repository: string;
  readonly connections: number;
  port(): number;
  /** Writes a file below `top`; returns its path. */
  put(path: string, text: string): string;
  /** Runs a script of this name and text, with these permissions. */
  run(name: string, text: string, asked?: Partial<SkillPermissions>, more?: More): Promise<ScriptOutcome>;
  /** Of each attempt in Python: `ok`, or the name of its exception. */
  attempts(
    lines: Readonly<Record<string, string>>,
    asked?: Partial<SkillPermissions>,
    more?: More,
  ): Promise<Record<string, string>>;
}

/** What the script returned; fails when it did not. */
export const returned = async (outcome: Promise<ScriptOutcome>): Promise<unknown> => {
  const found = await outcome;
  assert.equal(found.kind, 'returned', JSON.stringify(found));
  return found.kind === 'returned' && found.output;
};

const FILES = [
  'src/a.txt',
  'docs/b.txt',
  '.git/config',
  '.coppice/state.db',
  '.vscode/tasks.json',
  '.mcp.json',
  'top.txt',
];

/** For the describe in which it is called: tests are skipped where there is no sandbox, unless their title says so. */
export const sandboxGround = (): SandboxGround => {
  let top = '';
  let repository = '';
  let sandbox: Sandbox | null = null;
  let server: Server = createServer();
  let connections = 0;

  before(async () => {
    sandbox = await findBubblewrap({ spawn, node });
  });
  beforeEach(async function () {
    // Bubblewrap is not there, or may not make namespaces.
    if (sandbox === null && !this.currentTest?.title.includes('where there is no sandbox')) this.skip();
    top = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-sandbox-')));
    repository = join(top, 'repository');
    for (const path of FILES) put(`repository/${path}`, `in ${path}`);
    put('outside.txt', 'outside');
    connections = 0;
    server = createServer((socket) => socket.on('error', () => {}).end('hello')).on(
      'connection',
      () => (connections += 1),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    server.close();
    rmSync(top, { recursive: true, force: true });
  });

  const put = (path: string, text: string): string => {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), text);
    return join(top, path);
  };
  const port = (): number => (server.address() as AddressInfo).port;

  const run: SandboxGround['run'] = (name, text, asked = {}, more = {}) => {
    const files: Record<string, string> = {
      'SKILL.md': '---\nname: tool\ndescription: A tool.\n---\nText\n',
      [name]: text,
    };
    rmSync(join(top, 'skills'), { recursive: true, force: true });
    for (const [path, content] of Object.entries(files)) put(`skills/tool/${path}`, content);
    const hash = contentHash(Object.entries(files).map(([path, content]) => ({ path, bytes: Buffer.from(content) })));
    const permissions = { ...NO_MANIFEST.permissions, ...asked };
    const source = more.source ?? { kind: 'workspace', root: join(top, 'skills') };
    const manifest = { ...NO_MANIFEST, timeoutMs: 10_000, entry: name, permissions };
    const skill = { name: 'tool', folder: join(top, 'skills/tool'), source, hash, manifest };
    const environment = { PATH: process.env['PATH'], HOME: process.env['HOME'], SSH_AUTH_SOCK: '/tmp/agent' };
    const parts = {
      spawn,
      node: { ...node, permissionModel: more.permissionModel ?? true },
      sandbox: more.without ? null : sandbox,
      clock: systemClock,
      tempDir: join(repository, '.coppice/tmp'),
      repository,
      environment,
    };
    const { root = repository, unconfined = false } = more;
    return runScript(parts, { skill, input: {}, root, outputChars: 50_000, unconfined }, new AbortController().signal);
  };

  const attempts: SandboxGround['attempts'] = async (lines, asked = {}, more = {}) => {
    const tries = Object.entries(lines).map(([name, code]) => `attempt(${JSON.stringify(name)}, lambda: ${code})`);
    const text = `
import ctypes, json, os, pathlib, signal, socket, subprocess, sys
root, top, port, engine = ${JSON.stringify([more.root ?? repository, top, port(), process.pid])}
result = {}
def write(path):
  with open(path, 'w') as file: file.write('x')
def syscall(*args):
  if ctypes.CDLL(None, use_errno=True).syscall(*args) < 0: raise OSError(ctypes.get_errno(), 'no')
def attempt(name, work):
  try:
    work()
    result[name] = 'ok'
  except BaseException as error: result[name] = type(error).__name__
${tries.join('\n')}
print(json.dumps(result))
`;
    return (await returned(run('a.py', text, asked, more))) as Record<string, string>;
  };

  return {
    get top() {
      return top;
    },
    get repository() {
      return repository;
    },
    get connections() {
      return connections;
    },
    port,
    put,
    run,
    attempts,
  };
};
