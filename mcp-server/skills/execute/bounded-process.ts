/** A program to run to its end. */
export interface BoundedRequest {
  readonly argv: readonly [string, ...string[]];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** All that it can read from its standard input. */
  readonly input: string;
  readonly timeoutMs: number;
  /** Characters that are kept of each of its two outputs. */
  readonly keepChars: number;
  /** It says on descriptor 3 which process it has made, as `Sandbox` does: that one is ended with it. */
  readonly saysInner?: boolean;
}

/** How a program ended. */
export type BoundedOutcome =
  /** `cut`: standard output was longer than what was kept. */
  | {
      readonly kind: 'exited';
      readonly code: number;
      readonly stdout: string;
      readonly stderr: string;
      readonly cut: boolean;
    }
  | { readonly kind: 'killed'; readonly by: 'signal' | 'timeout' | 'abort'; readonly stderr: string }
  /** `code` is the system's: ENOENT, EACCES. */
  | { readonly kind: 'unstartable'; readonly code: string };

/**
 * Runs a program without a shell and ends it, with all that it has started, on timeout, on abort and at its end. Never
 * throws. Whoever puts the program together binds it to the way in which agents' commands are run.
 */
export type SpawnBounded = (request: BoundedRequest, signal: AbortSignal) => Promise<BoundedOutcome>;

/** The Node that runs JavaScript of skills. */
export interface NodeProgram {
  readonly path: string;
  /** What this Node needs to be one, such as ELECTRON_RUN_AS_NODE. */
  readonly environment: Readonly<Record<string, string>>;
  /** It knows `--permission`. */
  readonly permissionModel: boolean;
}

const PASSED_ON = ['PATH', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'SYSTEMROOT', 'SystemRoot', 'COMSPEC', 'PATHEXT'];

/** What programs of skills see of an environment: no keys, no agents, nothing that changes how a program starts. */
export const cleanEnvironment = (
  from: Readonly<Record<string, string | undefined>>,
  tempFolder: string,
): Record<string, string> => ({
  ...Object.fromEntries(PASSED_ON.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]]))),
  HOME: tempFolder,
  USERPROFILE: tempFolder,
  TMPDIR: tempFolder,
  TEMP: tempFolder,
  TMP: tempFolder,
});
