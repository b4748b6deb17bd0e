import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../domain/errors.ts';
import { oneLine } from '../../domain/text.ts';
import { cleanEnvironment, type NodeProgram, type SpawnBounded } from '../execute/bounded-process.ts';
import { permissionArguments } from '../execute/node-permissions.ts';
import { NO_MANIFEST } from '../manifest.ts';
import { skillNameOf } from '../parse-skill.ts';
import { type ImportLimits, makeBundle, type SkillBundle } from './bundle.ts';
import { INSPECT_PROGRAM, runProgram } from './langchain-programs.ts';

/** What looking at an installed package needs. */
export interface LangChainParts {
  readonly spawn: SpawnBounded;
  readonly node: NodeProgram;
  /** Top of the person's repository, in whose node_modules the package is. */
  readonly repository: string;
  readonly tempDir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly limits: ImportLimits;
}

/** `@scope/package/path#Export`, taken apart. */
export interface ToolSpec {
  /** What is imported. */
  readonly spec: string;
  /** Of the package. */
  readonly name: string;
  /** Null: not said. */
  readonly exported: string | null;
}

/** What a package gave. */
export type LangChainFetched =
  | {
      readonly kind: 'skill';
      readonly bundle: SkillBundle /** `package@version`. */;
      readonly pin: string;
      readonly spec: string;
    }
  /** The module exports several tools; each is a whole spec. */
  | { readonly kind: 'choose'; readonly specs: readonly string[] };

const INSPECT_MS = 60_000;
const INSPECT_CHARS = 2_000_000;
const PART = '[a-zA-Z0-9_~][a-zA-Z0-9._~-]*';
const SPEC = new RegExp(`^((?:@${PART}/)?${PART})((?:/${PART})*)(?:#([A-Za-z_$][\\w$]{0,99}))?$`);

/** Throws UserError `bad-input` for anything but the name of a package with a path and an export. */
export const parseToolSpec = (text: string): ToolSpec => {
  const [, name, path, exported] = SPEC.exec(text.length > 300 ? '' : text) ?? [];
  if (name === undefined || text.includes('..')) {
    throw new UserError(
      'bad-input',
      `${oneLine(JSON.stringify(text), 100)} names no tool. Write it as package/path#Export, such as @langchain/community/tools/calculator#Calculator.`,
    );
  }
  return { spec: `${name}${path ?? ''}`, name, exported: exported ?? null };
};

/** What a person must agree to before a tool can be looked at. */
export const langChainQuestion = (text: string): string => {
  const { spec, name } = parseToolSpec(text);
  return `To see what ${spec} offers, Coppice must import it, and that runs the code of the package ${name} and of what it depends on, as you, on this machine. It may read the repository and use the network; it may not write files or start programs.`;
};

const INSPECTED = z.union([
  z.object({ error: z.string() }),
  z.object({
    version: z.string(),
    exports: z.array(z.string()),
    tools: z.array(
      z.object({
        exported: z.string(),
        name: z.string(),
        description: z.string(),
        schema: z.record(z.string(), z.unknown()),
      }),
    ),
    problems: z.array(z.object({ exported: z.string(), message: z.string() })),
  }),
]);

type Inspected = Exclude<z.infer<typeof INSPECTED>, { error: string }>;

/**
 * Makes a script skill of a LangChain tool that is installed in the repository. This runs the package's code, in a
 * process of its own: call it only when the person has agreed to `langChainQuestion`. Throws UserError when the package
 * cannot be imported or has no such tool.
 */
export const fetchFromLangChain = async (
  parts: LangChainParts,
  text: string,
  signal: AbortSignal,
): Promise<LangChainFetched> => {
  const asked = parseToolSpec(text);
  const found = await inspect(parts, asked, signal);
  const [tool, ...others] = found.tools;
  if (tool === undefined) throw noTool(asked, found);
  if (others.length > 0)
    return { kind: 'choose', specs: found.tools.map(({ exported }) => `${asked.spec}#${exported}`) };
  const spec = `${asked.spec}#${tool.exported}`;
  return {
    kind: 'skill',
    bundle: bundleOf(asked, tool, found.version, parts.limits),
    pin: `${asked.name}@${found.version}`,
    spec,
  };
};

const noTool = (asked: ToolSpec, found: Inspected): UserError => {
  const [problem] = found.problems;
  if (problem !== undefined)
    return new UserError(
      'bad-input',
      `${asked.spec}#${problem.exported} could not be made: ${oneLine(problem.message, 300)}`,
    );
  const listed = oneLine(found.exports.slice(0, 30).join(', '), 300) || 'nothing';
  const what = asked.exported === null ? 'no LangChain tool' : `no LangChain tool ${asked.exported}`;
  return new UserError('not-found', `${asked.spec} exports ${what}. It exports: ${listed}.`);
};

const inspect = async (parts: LangChainParts, asked: ToolSpec, signal: AbortSignal): Promise<Inspected> => {
  if (!parts.node.permissionModel)
    throw new UserError(
      'wrong-state',
      'This Node cannot hold a package to what you are asked for. Use Node 22.13 or newer.',
    );
  await mkdir(parts.tempDir, { recursive: true, mode: 0o700 });
  const temp = await realpath(await mkdtemp(join(parts.tempDir, 'inspect-')));
  try {
    const root = await realpath(parts.repository);
    const own = { read: [root], write: [temp] };
    const held = await permissionArguments({ ...PACKAGES, hosts: ['*'] }, root, own);
    const outcome = await parts.spawn(
      {
        argv: [parts.node.path, ...held, '--input-type=module', '--eval', INSPECT_PROGRAM],
        // A bare name is looked for from here.
        folder: root,
        environment: { ...cleanEnvironment(parts.environment, temp), ...parts.node.environment },
        input: JSON.stringify({ ...asked, root }),
        timeoutMs: INSPECT_MS,
        keepChars: INSPECT_CHARS,
      },
      signal,
    );
    signal.throwIfAborted();
    if (outcome.kind !== 'exited' || outcome.cut || outcome.stdout === '')
      throw noAnswer(asked, outcome.kind === 'unstartable' ? outcome.code : outcome.stderr);
    const parsed = INSPECTED.parse(JSON.parse(outcome.stdout));
    if ('error' in parsed) throw notImported(asked, parsed.error);
    return parsed;
  } finally {
    await rm(temp, { recursive: true, force: true, maxRetries: 3 });
  }
};

const PACKAGES = { read: ['node_modules/**', 'package.json'], write: [], commands: [], hosts: [] };

const noAnswer = (asked: ToolSpec, said: string): UserError =>
  new UserError(
    'bad-input',
    `${asked.spec} could not be looked at: ${oneLine(said.trim().split('\n').at(-1) ?? '', 300) || 'it did not answer in time'}.`,
  );

const notImported = (asked: ToolSpec, said: string): UserError => {
  const missing = /cannot find (package|module)|not defined by "exports"|is not exported/i.test(said);
  const advice = missing ? ` Is it installed in this repository? npm install ${asked.name} @langchain/core` : '';
  return new UserError('not-found', `${asked.spec} could not be imported: ${oneLine(said, 300)}.${advice}`);
};

const bundleOf = (
  asked: ToolSpec,
  tool: Inspected['tools'][number],
  version: string,
  limits: ImportLimits,
): SkillBundle => {
  const name = nameOf(tool.name) || nameOf(tool.exported) || nameOf(asked.name);
  const manifest = {
    ...NO_MANIFEST,
    permissions: { ...PACKAGES, hosts: ['*'] },
    entry: 'scripts/run.mjs',
    input: tool.schema,
    output: OUTPUT,
  };
  const script = runProgram({ spec: asked.spec, name: asked.name, exported: tool.exported, version });
  const file = (path: string, text: string) => ({ path, bytes: Buffer.from(text), executable: false });
  return makeBundle(
    name,
    [
      file('SKILL.md', skillText(name, asked, tool, version)),
      file('manifest.json', `${JSON.stringify(manifest, null, 2)}\n`),
      file('scripts/run.mjs', script),
    ],
    [],
    limits,
  );
};

const OUTPUT = {
  type: 'object',
  properties: {
    content: { description: 'What the tool answered.' },
    artifact: { description: 'What it made beside it.' },
  },
  required: ['content'],
};

/** `WikipediaQueryRun` and `web_browser` as names of skills. */
const nameOf = (text: string): string => skillNameOf(text.replace(/([a-z0-9])([A-Z])/g, '$1-$2'));

const skillText = (name: string, asked: ToolSpec, tool: Inspected['tools'][number], version: string): string => {
  const description = oneLine(tool.description, 1000) || `Calls the LangChain tool ${tool.name}.`;
  return [
    '---',
    `name: ${name}`,
    `description: ${JSON.stringify(description)}`,
    'metadata:',
    `  source: ${JSON.stringify(`${asked.spec}#${tool.exported}`)}`,
    `  version: ${JSON.stringify(version)}`,
    '---',
    '',
    `# ${oneLine(tool.name, 100)}`,
    '',
    description,
    '',
    `Runs the LangChain tool \`${tool.exported}\` of \`${asked.spec}\` (${version}), which is installed in the repository.`,
    'Give the input as JSON, as `input` in manifest.json describes it; the answer is in `content`.',
    '',
  ].join('\n');
};
