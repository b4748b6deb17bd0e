import { realpath, writeFile } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { SkillPermissions } from '../port.ts';
import { type NodeProgram, type SpawnBounded } from './bounded-process.ts';
import { gitPlaces } from './git-places.ts';
import type { OwnFolders } from './node-permissions.ts';
import { programPlaces, SYSTEM } from './programs.ts';
import type { Mount, Sandbox } from './sandbox.ts';
import { sandboxPlaces } from './sandbox-places.ts';

interface Confined {
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
}

/** What a script may see, and where. All paths are real. */
export interface Confinement {
  readonly permissions: SkillPermissions;
  readonly network: boolean;
  readonly root: string;
  /** Folders of which nothing is seen but what is declared, beside `root` and the home folder. */
  readonly closed: readonly string[];
  readonly own: OwnFolders;
  /** A folder that the script itself does not see. */
  readonly temp: string;
}

const ASK_MS = 10_000;

/** Puts a program, and the programs that it `needs`, into the sandbox. Call `tidy` when it has ended. */
export const confine = async (
  parts: { readonly sandbox: Sandbox; readonly spawn: SpawnBounded; readonly node: NodeProgram },
  program: Confined & { readonly needs: readonly string[] },
  to: Confinement,
): Promise<{ readonly program: Confined & { readonly saysInner: true }; tidy(): Promise<void> }> => {
  const { environment } = program;
  const path = environment['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  const closed = [...(await homeFolder()), ...to.closed];
  const ask = async (argv: readonly [string, ...string[]]): Promise<string | null> => {
    const request = { argv, folder: to.root, environment, input: '', timeoutMs: ASK_MS, keepChars: 10_000 };
    const outcome = await parts.spawn(request, new AbortController().signal);
    return outcome.kind === 'exited' && outcome.code === 0 ? outcome.stdout : null;
  };
  const programs = await programPlaces(program.needs, path, [...closed, to.root], ask);
  const node = await realpath(parts.node.path);
  const known = await users(to.temp);
  const git = to.permissions.commands.includes('git') ? await gitPlaces(to.root) : [];
  // Last, because it makes places that are taken away again at the end.
  const declared = await sandboxPlaces(to.permissions, to.root, to.own, closed);
  const mounts: readonly Mount[] = [
    ...programs.mounts,
    ...(SYSTEM.test(node) ? [] : [{ kind: 'read', path: dirname(node) } as const]),
    ...known,
    // What is declared goes over what is there to run programs.
    ...declared.mounts,
    ...git,
  ];
  const [first, ...rest] = program.argv;
  const argv = parts.sandbox.wrap({
    argv: [first === parts.node.path ? node : first, ...rest],
    mounts: [...new Map(mounts.map((mount) => [mount.path, mount])).values()],
    network: to.network,
  });
  const inside = {
    ...environment,
    PATH: [...programs.path, ...path.split(delimiter)].join(delimiter),
    // Each place is a file system of its own.
    ...(git.length > 0 ? { GIT_DISCOVERY_ACROSS_FILESYSTEM: '1' } : {}),
  };
  return { program: { argv, environment: inside, saysInner: true }, tidy: declared.tidy };
};

const homeFolder = async (): Promise<readonly string[]> => {
  const home = await realpath(homedir()).catch(() => '/');
  return home === '/' || SYSTEM.test(home) ? [] : [home];
};

/** Programs ask who they are; who else there is on the machine is nobody's business. */
const users = async (temp: string): Promise<readonly Mount[]> => {
  const { uid, gid } = userInfo();
  const made = { passwd: `user:x:${uid}:${gid}:user:/tmp:/bin/sh\n`, group: `user:x:${gid}:\n` };
  return Promise.all(
    Object.entries(made).map(async ([name, text]): Promise<Mount> => {
      const from = join(temp, name);
      await writeFile(from, text);
      return { kind: 'read', path: `/etc/${name}`, from };
    }),
  );
};
