import type { Dirent } from 'node:fs';
import { lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../domain/errors.ts';
import { type ParsedWorkflow, parseWorkflow } from '../planning/workflows/parse-workflow.ts';
import type { Workflow } from '../planning/workflows/workflow.ts';
import type { WorkflowView } from './planning-facade.ts';

/** Longest file that is read, bytes. */
const MOST_BYTES = 500_000;
const MOST_FILES = 500;
const EXTENSION = /\.ya?ml$/;

interface Entry {
  readonly name: string;
  readonly source: WorkflowView['source'];
  readonly path: string;
  readonly text: string;
  readonly parsed: ParsedWorkflow;
}

/** The workflows of a repository and those that come with Coppice; the repository's own win. Read anew each time. */
export class WorkflowLibrary {
  readonly #own: string;
  readonly #bundled: string;

  /** Folders: `<repository>/.coppice/workflows`, and the bundled one. */
  constructor(folders: { readonly own: string; readonly bundled: string }) {
    this.#own = folders.own;
    this.#bundled = folders.bundled;
  }

  /** Sorted by name; files that cannot be read as workflows too, with their faults. */
  async list(): Promise<readonly WorkflowView[]> {
    return (await this.#entries()).map(viewOf);
  }

  async show(name: string): Promise<{ readonly workflow: WorkflowView; readonly text: string }> {
    const entry = await this.#find(name);
    return { workflow: viewOf(entry), text: entry.text };
  }

  /** Checks a text that need not be stored; names of sub-workflows are looked for among those that there are. */
  async check(text: string): Promise<ParsedWorkflow> {
    const names = (await this.#files()).map(({ name }) => name);
    const [own] = /^name:\s*([a-z0-9-]+)/m.exec(text)?.slice(1) ?? [];
    return parseWorkflow(text, new Set(own ? [...names, own] : names));
  }

  /** The workflow, and all good ones by name. Throws UserError with the faults and their lines when it is not good. */
  async load(name: string): Promise<{ readonly workflow: Workflow; readonly library: ReadonlyMap<string, Workflow> }> {
    const entry = await this.#find(name);
    if (!entry.parsed.ok) {
      const faults = entry.parsed.faults.map(({ line, column, message }) => `${line + 1}:${column + 1}: ${message}`);
      throw new UserError('bad-input', `The workflow ${name} (${entry.path}) has faults:\n${faults.join('\n')}`);
    }
    const good = (await this.#entries()).flatMap(({ parsed }) => (parsed.ok ? [parsed.workflow] : []));
    return { workflow: entry.parsed.workflow, library: new Map(good.map((one) => [one.name, one])) };
  }

  /** Returns the path. Never writes over a file. */
  async save(name: string, text: string): Promise<string> {
    if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(name))
      throw new UserError(
        'bad-input',
        `"${name}" cannot be the name of a workflow: use lower-case letters, digits and hyphens.`,
      );
    await mkdir(this.#own, { recursive: true });
    const path = join(this.#own, `${name}.yaml`);
    try {
      await writeFile(path, text, { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new UserError('wrong-state', `There is a workflow ${name} already (${path}). Take another name.`);
    }
    return path;
  }

  async #find(name: string): Promise<Entry> {
    const entries = await this.#entries();
    const entry = entries.find((one) => one.name === name);
    if (entry) return entry;
    throw new UserError(
      'not-found',
      `There is no workflow "${name}". Workflows: ${entries.map((one) => one.name).join(', ')}.`,
    );
  }

  async #entries(): Promise<readonly Entry[]> {
    const files = await this.#files();
    const names = new Set(files.map(({ name }) => name));
    const entries = await Promise.all(
      files.map(async (file): Promise<Entry> => {
        const text = await textOf(file.path);
        const parsed: ParsedWorkflow = typeof text === 'string' ? parseWorkflow(text, names) : unreadable(text.problem);
        return { ...file, text: typeof text === 'string' ? text : '', parsed: withOwnName(file.name, parsed) };
      }),
    );
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #files(): Promise<readonly Pick<Entry, 'name' | 'source' | 'path'>[]> {
    const own = await filesIn(this.#own, 'repository');
    const names = new Set(own.map(({ name }) => name));
    return [...own, ...(await filesIn(this.#bundled, 'bundled')).filter(({ name }) => !names.has(name))];
  }
}

const filesIn = async (folder: string, source: Entry['source']) => {
  const entries = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => []);
  return entries
    .filter((entry) => entry.isFile() && EXTENSION.test(entry.name))
    .slice(0, MOST_FILES)
    .map((entry) => ({ name: entry.name.replace(EXTENSION, ''), source, path: join(folder, entry.name) }));
};

const textOf = async (path: string): Promise<string | { readonly problem: string }> => {
  try {
    const { size } = await lstat(path);
    if (size > MOST_BYTES) return { problem: `The file has ${size} bytes; ${MOST_BYTES} are read at the most.` };
    return await readFile(path, 'utf8');
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
};

const unreadable = (message: string): ParsedWorkflow => ({
  ok: false,
  faults: [{ line: 0, column: 0, severity: 'error', message }],
});

/** Others find it by the name of its file. */
const withOwnName = (name: string, parsed: ParsedWorkflow): ParsedWorkflow =>
  !parsed.ok || parsed.workflow.name === name
    ? parsed
    : unreadable(`Its name is "${parsed.workflow.name}", but its file is ${name}.yaml; they must be the same.`);

const viewOf = ({ name, source, path, parsed }: Entry): WorkflowView => ({
  name,
  source,
  path,
  description: parsed.ok ? parsed.workflow.description : '',
  parameters: parsed.ok ? (parsed.workflow.parameters ?? {}) : {},
  nodes: parsed.ok ? Object.keys(parsed.workflow.nodes).length : 0,
  faults: parsed.faults,
});
