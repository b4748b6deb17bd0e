/** What both programs need: the package as the repository sees it, and the tool that an export is. */
const COMMON = `
/** As a module at the top of the repository would import it, wherever this program lies. */
const load = async (spec, root) => {
  let url = null;
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      if (url !== null || specifier !== spec) return next(specifier, context);
      const found = next(specifier, { ...context, parentURL: pathToFileURL(join(root, 'package.json')).href });
      url = found.url;
      return found;
    },
  });
  try {
    const module = await import(spec);
    return { module, file: fileURLToPath(url) };
  } finally {
    hooks.deregister();
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
import { createRequire, registerHooks } from 'node:module';
import { dirname, join } from 'node:path';
import { env } from 'node:process';
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
  const { module, file } = await load(TOOL.spec, env.COPPICE_REPOSITORY ?? process.cwd());
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
