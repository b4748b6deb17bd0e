import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runFilter } from '../../mcp-server/agent/tools/process.ts';
import { permissionArguments } from '../../mcp-server/skills/execute/node-permissions.ts';

/** How attempts of a held script went: `ok`, or the error's code. */
export type Attempts = Readonly<Record<string, string>>;

const BEGIN = `
import { readFileSync } from 'node:fs';
const input = JSON.parse(readFileSync(0, 'utf8'));
const result = {};
const attempt = async (name, work) => {
  try { await work(); result[name] = 'ok'; } catch (error) { result[name] = String(error?.code ?? error?.cause?.code ?? error?.message ?? error); }
};
const met = (socket) => new Promise((resolve, reject) => socket.on('connect', resolve).on('secureConnect', resolve).on('error', reject)).finally(() => socket.destroy());
`;

/** Pretends, before the script is held, that names under test lead here; \`localhost\` is asked for truly. */
const RESOLVER = `
import dns from 'node:dns';
import { isIP } from 'node:net';
const before = dns.lookup;
const ADDRESSES = { 'api.test': '127.0.0.1', 'meta.test': '169.254.169.254', 'six.test': '::1', 'mapped.test': '::ffff:127.0.0.1', 'lan.test': '192.168.1.1', 'nat.test': '64:ff9b::7f00:1' };
dns.lookup = (host, options, callback) => {
  const address = ADDRESSES[host] ?? ADDRESSES[host.replace(/^[^.]+\\./, '')];
  if (address === undefined) return before(host, options, callback);
  setImmediate(callback, null, [{ address, family: isIP(address) }]);
};
`;

/** Runs a script of `attempt(…)` calls that may talk to these hosts, held by Node alone. */
export const attemptHeld = async (
  folder: string,
  hosts: readonly string[],
  script: string,
  input: object,
): Promise<Attempts> => {
  const file = join(folder, 'script.mjs');
  const resolver = join(folder, 'resolver.mjs');
  writeFileSync(resolver, RESOLVER);
  writeFileSync(file, `${BEGIN}${script}\nprocess.stderr.write(JSON.stringify(result), () => process.exit(0));`);
  const permissions = { read: [], write: [], commands: [], hosts };
  const held = await permissionArguments(permissions, folder, { read: [file, resolver], write: [] });
  const outcome = await runFilter(
    {
      argv: [process.execPath, `--import=${resolver}`, ...held, file],
      folder,
      environment: {},
      input: JSON.stringify(input),
      timeoutMs: 20_000,
      keepChars: 20_000,
      commandsDir: null,
    },
    new AbortController().signal,
  );
  if (outcome.kind === 'exited' && outcome.code === 0) return JSON.parse(lastLine(outcome.stderr)) as Attempts;
  throw new Error(JSON.stringify(outcome));
};

/** Node's warnings come before. */
const lastLine = (text: string): string => text.slice(text.lastIndexOf('\n') + 1);
