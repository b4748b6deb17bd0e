import { lstat, readlink, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BoundedOutcome, NodeProgram, SpawnBounded } from './bounded-process.ts';

/** One place inside the sandbox; what is not among them is not there. All paths are absolute. */
export type Mount =
  /** `from`: what is seen there; absent: what lies there. */
  | { readonly kind: 'read' | 'write'; readonly path: string; readonly from?: string }
  /** An empty folder that cannot be written, around other places or in the place of what nobody may see. */
  | { readonly kind: 'closed'; readonly path: string }
  /** A file that nobody may see. */
  | { readonly kind: 'hidden'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly to: string };

/** A program, and all that it may see. */
export interface SandboxRequest {
  readonly argv: readonly [string, ...string[]];
  readonly mounts: readonly Mount[];
  /** Any host; without it, not even this machine. */
  readonly network: boolean;
}

/** Runs programs that see nothing but the system's programs and the given places; all end with the one that was started. */
export interface Sandbox {
  /** What to run instead; it says on descriptor 3 which process it has made. */
  wrap(request: SandboxRequest): readonly [string, ...string[]];
}

/** Looks once whether this machine has a sandbox that works; null: it has none. Never throws. */
export type FindSandbox = (parts: {
  readonly spawn: SpawnBounded;
  readonly node: NodeProgram;
}) => Promise<Sandbox | null>;

/** Never from PATH: whoever can put a program there would be the sandbox. */
const PROGRAMS = ['/usr/bin/bwrap', '/usr/local/bin/bwrap', '/bin/bwrap', '/run/current-system/sw/bin/bwrap'];
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/run/current-system'];
const ETC = [
  'alternatives',
  'ca-certificates',
  'ca-certificates.conf',
  'crypto-policies',
  'gai.conf',
  'hosts',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'nsswitch.conf',
  'pki',
  'protocols',
  'resolv.conf',
  'services',
  'ssl',
];
/** Keys of servers on this machine. */
const KEYS = ['/etc/ssl/private', '/etc/pki/tls/private'];
const PROBE_MS = 5_000;

/** Bubblewrap on Linux, when it works for this user and Node starts in it. */
export const findBubblewrap: FindSandbox = async ({ spawn, node }) => {
  if (process.platform !== 'linux') return null;
  try {
    const system = await systemArguments();
    const [program] = (await Promise.all(PROGRAMS.map((path) => realpath(path).catch(() => [])))).flat();
    if (program === undefined) return null;
    // Namespaces inside of it would only be more of the kernel to get at; older ones cannot forbid them.
    for (const more of [['--disable-userns'], []]) {
      const sandbox = bubblewrap(program, [...more, ...system]);
      const outcome = await tryOut(sandbox, spawn, node);
      if (outcome.kind !== 'exited') return null;
      if (outcome.code === 0 && outcome.stdout.startsWith('v')) return sandbox;
    }
  } catch {
    // It is as good as none.
  }
  return null;
};

const tryOut = (sandbox: Sandbox, spawn: SpawnBounded, node: NodeProgram): Promise<BoundedOutcome> => {
  const argv = sandbox.wrap({
    argv: [node.path, '--version'],
    mounts: [{ kind: 'read', path: dirname(node.path) }],
    network: false,
  });
  return spawn(
    {
      argv,
      folder: '/',
      environment: { ...node.environment },
      input: '',
      timeoutMs: PROBE_MS,
      keepChars: 1000,
      saysInner: true,
    },
    new AbortController().signal,
  );
};

/** What programs need to run, as this machine has it. */
const systemArguments = async (): Promise<readonly string[]> => {
  const places: string[] = [];
  for (const path of SYSTEM) {
    const stat = await lstat(path).catch(() => null);
    if (stat?.isSymbolicLink()) places.push('--symlink', await readlink(path), path);
    else if (stat?.isDirectory()) places.push('--ro-bind', path, path);
  }
  const etc = ETC.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]);
  const keys = (await Promise.all(KEYS.map((path) => realpath(path).catch(() => null)))).flatMap((path) =>
    path !== null && KEYS.includes(path) ? ['--tmpfs', path, '--remount-ro', path] : [],
  );
  // Root changes settings of the whole machine in /proc/sys, also as a user of namespaces.
  const proc = ['--proc', '/proc', '--remount-ro', '/proc'];
  return ['--tmpfs', '/tmp', '--tmpfs', '/run', ...places, ...etc, ...keys, ...proc, '--dev', '/dev'];
};

const bubblewrap = (program: string, system: readonly string[]): Sandbox => ({
  wrap: ({ argv, mounts, network }) => {
    // What lies in another place comes after it.
    const inOrder = mounts.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    const closed = inOrder.filter(({ kind }) => kind === 'closed');
    return [
      program,
      '--unshare-all',
      '--unshare-user',
      ...(network ? ['--share-net'] : []),
      '--die-with-parent',
      '--new-session',
      '--info-fd',
      '3',
      '--cap-drop',
      'ALL',
      ...system,
      ...inOrder.flatMap(argumentsOf),
      // A write that would be lost is refused.
      ...closed.flatMap(({ path }) => ['--remount-ro', path]),
      '--remount-ro',
      '/',
      '--',
      ...argv,
    ];
  },
});

const argumentsOf = (mount: Mount): readonly string[] => {
  switch (mount.kind) {
    case 'read':
      return ['--ro-bind', mount.from ?? mount.path, mount.path];
    case 'write':
      return ['--bind', mount.from ?? mount.path, mount.path];
    case 'closed':
      return ['--tmpfs', mount.path];
    case 'hidden':
      return ['--ro-bind', '/dev/null', mount.path];
    case 'link':
      return ['--symlink', mount.to, mount.path];
  }
};

/** How the program ended, where bubblewrap itself could not start it. */
export const outcomeInside = (outcome: BoundedOutcome): BoundedOutcome => {
  if (outcome.kind !== 'exited' || outcome.code !== 1 || !outcome.stderr.startsWith('bwrap: ')) return outcome;
  const said = outcome.stderr.slice('bwrap: '.length).trim();
  return { kind: 'unstartable', code: /^execvp .*No such file/.test(said) ? 'ENOENT' : `no sandbox for it: ${said}` };
};
