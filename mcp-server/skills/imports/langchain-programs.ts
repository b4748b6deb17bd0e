/** What both programs need: the package as the repository sees it, and the tool that an export is. */
const COMMON = `
const rooted = (root) => createRequire(join(root, 'package.json'));
const load = async (spec, root) => {
  try {
    return { module: await import(spec), file: fileURLToPath(import.meta.resolve(spec)) };
  } catch (error) {
    if (error?.code !== 'ERR_MODULE_NOT_FOUND' || !String(error.message).includes(spec.split('/').slice(0, spec.startsWith('@') ? 2 : 1).join('/'))) throw error;
    const file = rooted(root).resolve(spec);
    return { module: await import(pathToFileURL(file).href), file };
  }
};
const versionOf = (file, name) => {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) {
      const found = JSON.parse(readFileSync(manifest, 'utf8'));
      if (found.name === name && found.version) return found.version;
    }
    if (dirname(folder) === folder || folder.endsWith('node_modules')) return 'unknown';
  }
};
const isTool = (value) => typeof value === 'object' && value !== null && typeof value.invoke === 'function' && typeof value.name === 'string' && (Array.isArray(value.lc_namespace) || 'schema' in value);
const toTool = (value) => {
  if (isTool(value)) return value;
  if (typeof value !== 'function' || typeof value.prototype?.invoke !== 'function') return null;
  const made = new value();
  return isTool(made) ? made : null;
};
`;

const IMPORTS = `import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
`;

/** Packages may print what they like: only the answer goes to standard output. */
const QUIET = `const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);
const answer = (value, code) => write(JSON.stringify(value), () => process.exit(code));
`;

/**
 * Looks at the tools of a package. Reads {spec, name, exported, root} and writes {version, tools, problems}, or
 * {error}. It imports the package, so code of the package runs.
 */
export const INSPECT_PROGRAM = `${IMPORTS}${QUIET}${COMMON}
const input = JSON.parse(readFileSync(0, 'utf8'));
const core = async (path, file) => {
  try {
    return await import('@langchain/core/' + path);
  } catch {
    return import(pathToFileURL(createRequire(file).resolve('@langchain/core/' + path)).href);
  }
};
const look = async () => {
  const { module, file } = await load(input.spec, input.root);
  const { isLangChainTool } = await core('utils/function_calling', file);
  const { toJsonSchema } = await core('utils/json_schema', file);
  const tools = [];
  const problems = [];
  for (const exported of input.exported === null ? Object.keys(module).slice(0, 500) : [input.exported]) {
    try {
      const tool = toTool(module[exported]);
      if (tool === null || !isLangChainTool(tool)) continue;
      const schema = toJsonSchema(tool.schema, { io: 'input' });
      tools.push({ exported, name: String(tool.name), description: String(tool.description ?? ''), schema });
    } catch (error) {
      problems.push({ exported, message: String(error?.message ?? error).slice(0, 500) });
    }
  }
  return { version: versionOf(file, input.name), exports: Object.keys(module).slice(0, 500), tools, problems };
};
look().then((found) => answer(found, 0), (error) => answer({ error: String(error?.message ?? error).slice(0, 1000) }, 0));
`;

/** The script of the skill that a tool becomes. */
export const runProgram = (tool: {
  readonly spec: string;
  readonly name: string;
  readonly exported: string;
  readonly version: string;
}): string => `// Made by Coppice. Calls one LangChain tool of a package that is installed in the repository: JSON in, JSON out.
${IMPORTS}
const TOOL = ${JSON.stringify(tool, null, 2)};

${QUIET}${COMMON}
const call = async () => {
  const args = JSON.parse(readFileSync(0, 'utf8'));
  const { module, file } = await load(TOOL.spec, process.env.COPPICE_REPOSITORY ?? process.cwd());
  const version = versionOf(file, TOOL.name);
  if (version !== TOOL.version)
    throw new Error(TOOL.name + ' is ' + version + ' now, and the skill was imported from ' + TOOL.version + '. Update the skill.');
  const tool = toTool(module[TOOL.exported]);
  if (tool === null) throw new Error(TOOL.spec + ' no longer exports the tool ' + TOOL.exported + '.');
  const message = await tool.invoke({ type: 'tool_call', id: 'coppice', name: tool.name, args });
  if (message?.status === 'error') throw new Error(typeof message.content === 'string' ? message.content : JSON.stringify(message.content));
  const whole = typeof message === 'object' && message !== null && 'content' in message;
  return { content: whole ? message.content : message, ...(whole && message.artifact !== undefined && { artifact: message.artifact }) };
};
call().then((result) => answer(result, 0), (error) => answer({ error: String(error?.message ?? error) }, 1));
`;
