import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Socket } from 'node:net';

/** Keeps this program alive while an answer is awaited, and only then. */
export const holdProcess = (child: ChildProcessWithoutNullStreams, hold: boolean): void => {
  for (const handle of [child, child.stdin as Socket, child.stdout as Socket, child.stderr as Socket]) {
    // What could not be started has none.
    if (hold) handle?.ref();
    else handle?.unref();
  }
};
