/**
 * The part of the preload that holds a script to its declared hosts. It runs before the script and in the same process,
 * so it trusts nothing that the script could have changed: it calls captured functions only, walks no iterator, and sets
 * no property that an accessor of a prototype could catch. What counts are the handles below all of Node's network
 * (`net`, `tls`, `http`, `fetch`, WebSocket): they connect only to an address that stands in a table, and only the names
 * of declared hosts, resolved by this code, get into it. `HOSTS`: what is declared; `MODE`: none, some or any.
 */
export const HOLD_HOSTS = `
const apply = Reflect.apply;
const { isArray } = Array;
const { assign, freeze, getPrototypeOf, getOwnPropertyNames, getOwnPropertySymbols, getOwnPropertyDescriptors, preventExtensions, defineProperty, defineProperties } = Object;
const NewPromise = Promise;
const Failure = Error;
const asNumber = Number;
const { isIP } = net;
const uncurried = (method) => (self, ...args) => apply(method, self, args);
const lower = uncurried(String.prototype.toLowerCase);
const slice = uncurried(String.prototype.slice);
const code = uncurried(String.prototype.charCodeAt);
const tick = process.nextTick;
const later = (callback, a, b, c) => apply(tick, process, [callback, a, b, c]);
const EACCES = (() => { for (const [number, [name]] of util.getSystemErrorMap()) if (name === 'EACCES') return number; return -13; })();

const endsWith = (text, end) => text.length > end.length && slice(text, text.length - end.length) === end;
/** Lower case, without the dot of an absolute name; null for what is no plain name: numbers in disguise, other letters. */
const nameOf = (host) => {
  if (typeof host !== 'string' || host.length > 254) return null;
  let name = lower(host);
  if (endsWith(name, '.')) name = slice(name, 0, name.length - 1);
  let label = 0;
  for (let at = 0; at < name.length; at += 1) {
    const c = code(name, at);
    label = c === 46 ? 0 : label + 1;
    if (label > 63 || !((c >= 97 && c <= 122) || (c >= 48 && c <= 57) || c === 45 || c === 46 || c === 95)) return null;
  }
  return name === '' ? null : name;
};
/** Of what is declared: a name, or what follows its asterisk; and a port, or 0 for any. */
const rules = [];
for (const host of HOSTS) {
  const [name, port] = host.split(':');
  rules.push(freeze({ __proto__: null, name: name.startsWith('*') ? name.slice(1) : name, wild: name.startsWith('*'), port: Number(port ?? 0) }));
}
freeze(rules);
const matches = (rule, name) => (rule.wild ? isIP(name) === 0 && endsWith(name, rule.name) : rule.name === name);

/** Address → port → true; port 0: any. */
const table = { __proto__: null };
const admit = (address, port) => {
  const ports = table[address] ?? { __proto__: null };
  ports[port] = true;
  table[address] = ports;
};
for (const rule of rules) if (!rule.wild && isIP(rule.name)) admit(rule.name, rule.port);
const isAdmitted = (address, port) => {
  if (MODE !== 'some') return MODE === 'any';
  if (typeof address !== 'string' || typeof port !== 'number') return false;
  const ports = table[address];
  return ports !== undefined && (ports[0] === true || ports[port] === true);
};

/** The four numbers of an IPv4 address, as one; -1: it is none. */
const v4 = (text) => {
  let value = 0;
  let part = 0;
  let digits = 0;
  let dots = 0;
  for (let at = 0; at <= text.length; at += 1) {
    const c = at < text.length ? code(text, at) : 46;
    if (c === 46) {
      if (digits === 0 || digits > 3 || part > 255) return -1;
      value = value * 256 + part;
      dots += 1;
      part = digits = 0;
    } else if (c >= 48 && c <= 57) {
      part = part * 10 + c - 48;
      digits += 1;
    } else return -1;
  }
  return dots === 4 ? value : -1;
};
const RESERVED4 = [[0x00000000, 8], [0x0a000000, 8], [0x64400000, 10], [0x7f000000, 8], [0xa9fe0000, 16], [0xac100000, 12], [0xc0000000, 24], [0xc0a80000, 16], [0xc6120000, 15], [0xe0000000, 3]];
const isPublic4 = (value) => {
  if (value < 0) return false;
  for (let at = 0; at < RESERVED4.length; at += 1) {
    const size = 2 ** (32 - RESERVED4[at][1]);
    if (value >= RESERVED4[at][0] && value < RESERVED4[at][0] + size) return false;
  }
  return true;
};
/** Only 2000::/3 is public, and of that not what carries an IPv4 address inside (6to4, Teredo). */
const isPublic6 = (text) => {
  const c = code(text, 0);
  if (text.length < 5 || code(text, 4) !== 58 || (c !== 50 && c !== 51)) return false;
  return slice(text, 0, 5) !== '2002:' && slice(text, 0, 7) !== '2001:0:' && slice(text, 0, 6) !== '2001::';
};
const isLoopback = (address) => address === '::1' || (v4(address) >= 0x7f000000 && v4(address) < 0x80000000);
/** A name that leads into this machine or its network is a trick, unless it is this machine's own. */
const mayBe = (name, address) => (name === 'localhost' ? isLoopback(address) : isIP(address) === 4 ? isPublic4(v4(address)) : isPublic6(lower(address)));

const refused = (what) => assign(new Failure('Access to this API has been restricted: ' + what), { code: 'ERR_ACCESS_DENIED' });
const undeclared = (host) => refused('the host ' + slice(host + '', 0, 100) + ' is not declared');

const lookupBefore = dns.lookup;
/** As dns.lookup, for declared names only; what it finds gets into the table. */
const lookup = function (host, options, callback) {
  if (typeof options === 'function') {
    callback = options;
    options = undefined;
  }
  if (typeof callback !== 'function') throw new TypeError('The "callback" argument must be of type function.');
  const given = typeof options === 'number' ? { family: options } : (options ?? {});
  const all = given.all === true;
  const name = nameOf(host);
  let declared = false;
  if (name !== null) for (let at = 0; at < rules.length; at += 1) if (matches(rules[at], name)) declared = true;
  if (!declared) return later(callback, undeclared(host));
  const family = isIP(name);
  if (family !== 0) return all ? later(callback, null, [{ address: name, family }]) : later(callback, null, name, family);
  let answered = false;
  const settings = { __proto__: null, all: true };
  const { family: wanted, hints, order, verbatim } = given;
  if (wanted !== undefined) settings.family = wanted;
  if (hints !== undefined) settings.hints = hints;
  if (order !== undefined) settings.order = order;
  else if (verbatim !== undefined) settings.verbatim = verbatim;
  return lookupBefore(name, settings, (error, found) => {
    if (answered) return;
    answered = true;
    if (error) return callback(error);
    const good = [];
    for (let at = 0; at < found.length; at += 1) {
      const { address, family } = found[at];
      if (!mayBe(name, address)) continue;
      for (let one = 0; one < rules.length; one += 1) if (matches(rules[one], name)) admit(address, rules[one].port);
      defineProperty(good, good.length, { __proto__: null, value: { address, family }, writable: true, enumerable: true, configurable: true });
    }
    if (good.length === 0) return callback(refused('the host ' + name + ' leads into a private network; declare its address'));
    return all ? callback(null, good) : callback(null, good[0].address, good[0].family);
  });
};
const lookupPromised = (host, options) =>
  new NewPromise((resolve, reject) =>
    lookup(host, options ?? {}, (error, address, family) =>
      error ? reject(error) : resolve(options?.all === true ? address : { address, family }),
    ),
  );

/** The handles of sockets: each by one that goes nowhere. */
const handleOf = (to) => {
  const socket = new net.Socket();
  socket.on('error', () => {});
  try {
    socket.connect(to);
    return socket._handle ? getPrototypeOf(socket._handle) : null;
  } catch {
    return null;
  } finally {
    socket.destroy();
  }
};
const tcp = handleOf({ host: '127.0.0.1', port: 9 });
const pipe = handleOf({ path: process.platform === 'win32' ? '\\\\\\\\.\\\\pipe\\\\coppice-none' : '/' });
const datagrams = dgram.createSocket('udp4');
const udpState = getOwnPropertySymbols(datagrams).map((one) => datagrams[one]).find((one) => one?.handle);
const udp = udpState ? getPrototypeOf(udpState.handle) : null;
datagrams.close();
// A newer Node that has permissions for the network may give none of them.
if (!(tcp && pipe && udp) && !process.allowedNodeEnvironmentFlags.has('--allow-net')) throw refused('this Node cannot be held');

const connectBefore = net.Socket.prototype.connect;
for (const name of ['connect', 'connect6']) {
  const before = tcp?.[name];
  if (before) replace(tcp, name, function (request, address, port) {
    return isAdmitted(address, port) ? apply(before, this, [request, address, port]) : EACCES;
  });
}
if (tcp) replace(tcp, 'listen', () => EACCES);
for (const one of [pipe, ...streams]) if (one) for (const name of ['connect', 'bind', 'listen']) if (name in one && Object.getOwnPropertyDescriptor(one, name)?.configurable !== false) replace(one, name, () => refuse('local sockets'));
replace(net.Server.prototype, 'listen', () => refuse('listening'));

/** Says at once, and in words, what the handles would refuse. */
net.Socket.prototype.connect = function (...args) {
  if (MODE === 'none') refuse('connections, because no host is declared');
  const given = isArray(args[0]) ? args[0] : args;
  const to = typeof given[0] === 'object' && given[0] !== null ? assign({}, given[0]) : { port: given[0] };
  if (typeof given[0] !== 'object' && typeof given[1] === 'string') to.host = given[1];
  if (to.path || to.port === undefined || asNumber(to.port) !== asNumber(to.port)) refuse('local sockets');
  if (MODE === 'some') {
    const host = to.host || 'localhost';
    const name = nameOf(host);
    let found = false;
    for (let at = 0; at < rules.length; at += 1)
      if (name !== null && matches(rules[at], name) && (rules[at].port === 0 || rules[at].port === asNumber(to.port))) found = true;
    if (!found) throw undeclared(host);
    to.host = name;
    delete to.lookup;
  }
  const last = given[given.length - 1];
  return apply(connectBefore, this, typeof last === 'function' ? [to, last] : [to]);
};

if (MODE !== 'any') {
  for (const name of ['bind', 'connect', 'send', 'sendto', 'addMembership']) replace(dgram.Socket.prototype, name, () => refuse('datagrams, because not every host is declared'));
  for (const [name, { value }] of udp ? Object.entries(getOwnPropertyDescriptors(udp)) : [])
    if (typeof value === 'function' && !/^(constructor|close|ref|unref|hasRef|get.*)$/.test(name)) replace(udp, name, () => EACCES);
  const channel = getPrototypeOf(new dns.Resolver()._handle);
  const noDns = () => refuse('DNS, because not every host is declared');
  for (const name of getOwnPropertyNames(channel)) if (/^(query|getHostByAddr|setServers)/.test(name)) replace(channel, name, noDns);
  for (const one of [dns, dns.promises, dns.Resolver.prototype, dns.promises.Resolver.prototype])
    for (const name of getOwnPropertyNames(one)) if (/^(resolve|reverse|lookupService|setServers)/.test(name)) replace(one, name, noDns);
  defineProperties(lookup, getOwnPropertyDescriptors(lookupBefore));
  replace(dns, 'lookup', lookup);
  replace(dns.promises, 'lookup', lookupPromised);
}
if (MODE === 'some') {
  // Whoever held a request for a name while it is under way could put an answer of their own into the table.
  let request = null;
  lookupBefore('localhost', { all: true }, () => {});
  for (const one of process._getActiveRequests()) if ('hostname' in one) request = one;
  if (request === null) throw refused('this Node cannot be held');
  for (let one = getPrototypeOf(request); one; one = getPrototypeOf(one)) preventExtensions(one);
  replace(process, 'nextTick', tick);
  replace(async_hooks, 'createHook', () => refuse('hooks, because not every host is declared'));
}
replace(process, '_getActiveRequests', () => refuse('requests'));
`;
