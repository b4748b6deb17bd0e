/**
 * Runs in a script's process before the script, and takes away what Node's permission model leaves open. A signal opens
 * the debugger of any other Node of this user; a local socket leads to the engine, where whoever asks is the person, and
 * to other programs of theirs. Each would be a way around every permission. `network`: it may talk to hosts.
 */
const program = (network: boolean): string => `
import dgram from 'node:dgram';
import net from 'node:net';
import { syncBuiltinESMExports } from 'node:module';
const refuse = (what) => {
  throw Object.assign(new Error('Access to this API has been restricted: ' + what), { code: 'ERR_ACCESS_DENIED' });
};
const replace = (object, name, value) => Object.defineProperty(object, name, { value, writable: false, configurable: false });
for (const name of ['kill', '_kill', '_debugProcess', '_debugEnd']) replace(process, name, () => refuse('signals'));
const handles = [process.stdout, process.stderr].flatMap(({ _handle }) => (_handle ? [Object.getPrototypeOf(_handle)] : []));
for (const pipe of new Set(handles))
  for (const name of ['connect', 'bind', 'listen']) if (name in pipe) replace(pipe, name, () => refuse('local sockets'));
replace(net.Server.prototype, 'listen', () => refuse('listening'));
const connect = net.Socket.prototype.connect;
replace(net.Socket.prototype, 'connect', function (...args) {
  if (!${network}) refuse('connections, because no host is declared');
  const [first, ...rest] = Array.isArray(args[0]) ? args[0] : args;
  // A copy: what was looked at is what is used.
  const to = typeof first === 'object' && first !== null ? { ...first } : { port: Number(first) };
  if (typeof first !== 'object' && typeof rest[0] === 'string') to.host = rest.shift();
  if (to.path || Number.isNaN(Number(to.port ?? NaN))) refuse('local sockets');
  return connect.call(this, to, ...rest);
});
if (!${network})
  for (const name of ['bind', 'connect', 'send'])
    replace(dgram.Socket.prototype, name, () => refuse('connections, because no host is declared'));
syncBuiltinESMExports();
`;

/**
 * The arguments of Node that close what its permission model leaves open: signals, local sockets, SQLite, which reads and
 * writes any file, and the network where no host is declared.
 */
export const holdArguments = (hosts: readonly string[]): readonly string[] => [
  '--no-experimental-sqlite',
  `--import=data:text/javascript,${encodeURIComponent(program(hosts.length > 0))}`,
];
