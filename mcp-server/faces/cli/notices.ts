import type { Hello } from '../host/control.ts';
import { ask } from '../host/find-engine.ts';
import type { CliContext } from './context.ts';
import { printable } from './terminal.ts';

const WAIT_MS = 2000;

/** Warns of what the engine that runs has noticed at its start, such as a damaged database; silent when there is none. */
export const warnOfNotices = async (context: CliContext): Promise<void> => {
  const socket = await context.connectIfRunning().catch(() => null);
  if (!socket) return;
  const hello = await ask<Hello>(socket, 'coppice/hello', {}, WAIT_MS);
  socket.destroy();
  // An older engine says nothing of it.
  for (const notice of hello?.notices ?? []) context.terminal.warn(printable(`coppice: warning: ${notice}`));
};
