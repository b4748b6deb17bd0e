import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';

/**
 * Carries bytes: stdin → engine → stdout. Resolves with the exit status: 0 after stdin has ended and the engine has
 * answered, 1 when the engine ended first.
 */
export const runPipe = (
  socket: Socket,
  io: { readonly stdin: Readable; readonly stdout: Writable; readonly warn: (line: string) => void },
): Promise<number> =>
  new Promise((resolve) => {
    let asked = true;
    const leave = (status: number): void => {
      io.stdin.destroy();
      socket.destroy();
      if (io.stdout.writableNeedDrain) io.stdout.once('drain', () => resolve(status));
      else resolve(status);
    };
    io.stdin.once('end', () => {
      asked = false;
    });
    io.stdin.on('error', () => socket.end());
    // The client has gone: nobody is left to answer.
    io.stdout.once('error', () => leave(0));
    socket.on('error', () => {});
    socket.once('close', () => {
      if (asked) io.warn('The engine has ended. Connect again: it goes on where it was.');
      leave(asked ? 1 : 0);
    });
    socket.once('end', () => {
      // Half-open sockets are ours to close.
      socket.end();
    });
    socket.pipe(io.stdout, { end: false });
    io.stdin.pipe(socket);
  });
