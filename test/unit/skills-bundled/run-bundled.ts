import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { type ParsedManifest, parseManifest } from '../../../mcp-server/skills/manifest.ts';
import { bundledRoot } from './bundled.ts';

/** What a script wrote, with its exit code. */
export interface Answer {
  readonly code: number | null;
  readonly text: string;
  readonly json: unknown;
}

/** Relative paths of the files of a bundled skill. */
export const filesOf = (name: string): readonly string[] =>
  readdirSync(join(bundledRoot, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(join(bundledRoot, name), join(entry.parentPath, entry.name)).replaceAll('\\', '/'));

/** The manifest of a bundled skill as the registry reads it. */
export const manifestOf = (name: string): ParsedManifest => {
  const file = join(bundledRoot, name, 'manifest.json');
  return parseManifest(readFileSync(file), file, filesOf(name));
};

/** What lies in a repository, without git's own files: by these names a script may be let in, and not by the top's. */
export const entriesOf = (repository: string): readonly string[] =>
  readdirSync(repository)
    .filter((name) => !['.git', '.coppice'].includes(name))
    .map((name) => join(repository, name));

/**
 * Runs a bundled skill's script as it is run for a person: in an empty folder, under Node's permission model, with
 * nothing more than it asks for. `stdin` is sent as it is.
 */
export const runRaw = (
  name: string,
  stdin: string,
  repository: string | null,
  readable = (root: string): readonly string[] => [root],
): Answer => {
  const { manifest } = manifestOf(name);
  const root = repository === null ? null : realpathSync(repository);
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-bundled-')));
  const skill = join(bundledRoot, name);
  const places = root !== null && manifest.permissions.read.length > 0 ? readable(root) : [];
  // Node denies a granted folder when another granted path begins with it, so none is named twice.
  const allowed = places.some((place) => skill.startsWith(join(place, '/'))) ? places : [skill, ...places];
  const held = ['--permission', ...allowed.map((path) => `--allow-fs-read=${path}`)];
  try {
    const { status, stdout } = spawnSync(process.execPath, [...held, join(skill, manifest.entry ?? '')], {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...(root && { COPPICE_ROOT: root }) },
      input: stdin,
      encoding: 'utf8',
      timeout: 15_000,
    });
    return { code: status, text: stdout, json: JSON.parse(stdout) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** The result for an input; fails when the script does. */
export const runBundled = (name: string, input: object, repository: string | null = null): unknown => {
  const answer = runRaw(name, JSON.stringify(input), repository);
  if (answer.code !== 0) throw new Error(`${name} failed: ${answer.text}`);
  return answer.json;
};

/** What a script says is wrong with an input; fails when nothing is. */
export const complaintOf = (name: string, input: unknown, repository: string | null = null): string => {
  const stdin = typeof input === 'string' ? input : JSON.stringify(input);
  const { code, json } = runRaw(name, stdin, repository);
  const said = json as { readonly ok?: boolean; readonly error?: string };
  if (code !== 1 || said.ok !== false) throw new Error(`${name} did not complain: ${JSON.stringify(json)}`);
  return said.error ?? '';
};

/** A folder with these files, which the caller removes. */
export const folderWith = (files: Readonly<Record<string, string>>): string => {
  const root = mkdtempSync(join(tmpdir(), 'coppice-fixture-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
};
