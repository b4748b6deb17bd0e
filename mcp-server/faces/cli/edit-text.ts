import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UserError } from '../../domain/errors.ts';

/** Where a text is put, and what opens it: a command with its own arguments, as in VISUAL. */
export interface Editor {
  readonly command: string;
  readonly temporary: string;
  readonly platform: NodeJS.Platform;
}

/** Opens the text in the person's editor and gives back what it is when the editor ends. Throws UserError when that fails. */
export const editText = async (editor: Editor, text: string, name: string): Promise<string> => {
  const folder = await mkdtemp(join(editor.temporary, 'coppice-edit-'));
  try {
    const path = join(folder, name);
    await writeFile(path, text, { mode: 0o600 });
    await open(editor, path);
    return await readFile(path, 'utf8');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const open = ({ command, platform }: Editor, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    // As git does it: the command may have arguments of its own.
    const child =
      platform === 'win32'
        ? spawn(`${command} "${path}"`, { shell: true, stdio: 'inherit' })
        : spawn('sh', ['-c', `${command} "$@"`, command, path], { stdio: 'inherit' });
    const failed = (why: string): void =>
      reject(
        new UserError('bad-input', `The editor "${command}" ${why}. VISUAL or EDITOR names the one that you want.`),
      );
    child.once('error', (error) => failed(`cannot be started: ${messageOf(error)}`));
    child.once('close', (status, signal) => (status === 0 ? resolve() : failed(`ended with ${status ?? signal}`)));
  });
