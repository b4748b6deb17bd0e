import { HOLD_HOSTS } from './hold-hosts.ts';

/**
 * Runs in a script's process before the script, and takes away what Node's permission model leaves open. A signal opens
 * the debugger of any other Node of this user; a local socket leads to the engine, where whoever asks is the person, and
 * to other programs of theirs. Each would be a way around every permission. So would V8's own commands, which a flag
 * opens, be one to what this code keeps to itself.
 */
const PROGRAM = `
import async_hooks from 'node:async_hooks';
import dgram from 'node:dgram';
import dns from 'node:dns';
import net from 'node:net';
import util from 'node:util';
import v8 from 'node:v8';
import { syncBuiltinESMExports } from 'node:module';
const refuse = (what) => {
  throw Object.assign(new Error('Access to this API has been restricted: ' + what), { code: 'ERR_ACCESS_DENIED' });
};
const replace = (object, name, value) => Object.defineProperty(object, name, { value, writable: false, configurable: false });
for (const name of ['kill', '_kill', '_debugProcess', '_debugEnd']) replace(process, name, () => refuse('signals'));
replace(v8, 'setFlagsFromString', () => refuse('flags'));
const streams = new Set([process.stdout, process.stderr].flatMap(({ _handle }) => (_handle ? [Object.getPrototypeOf(_handle)] : [])));
${HOLD_HOSTS}
syncBuiltinESMExports();
`;

/**
 * The arguments of Node that close what its permission model leaves open: signals, local sockets, SQLite, which reads and
 * writes any file, and the network beyond the declared hosts. With `*` any host is reached; without any host, none, and
 * no name is resolved. A declared name that leads to an address of this machine or of a private network is not followed:
 * for that the address itself must be declared, or `localhost`.
 */
export const holdArguments = (hosts: readonly string[]): readonly string[] => {
  const mode = hosts.length === 0 ? 'none' : hosts.includes('*') ? 'any' : 'some';
  const declared = `const MODE = ${JSON.stringify(mode)};\nconst HOSTS = ${JSON.stringify(mode === 'some' ? hosts : [])};`;
  return ['--no-experimental-sqlite', `--import=data:text/javascript,${inUrl(declared + PROGRAM)}`];
};

/** As short as it can be, because a command line is bounded, and under a short name in stack traces. */
const inUrl = (program: string): string => {
  const lines = program.split('\n').map((line) => line.trim());
  const short = lines.filter((line) => line !== '' && !/^\/[/*]/.test(line));
  return [...short, '//# sourceURL=coppice:holds'].join('\n').replace(/[%#\n]/g, encodeURIComponent);
};
