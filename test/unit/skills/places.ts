import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const folders: string[] = [];

/** A folder that is gone after the test file; a real path. */
export const temporaryFolder = (): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-skills-')));
  folders.push(folder);
  return folder;
};

/** Call it once in each `describe`. */
export const removeFoldersAfterwards = (): void => {
  after(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });
};

/** Writes a file with the folders above it; returns its path. */
export const put = (folder: string, path: string, text: string | Uint8Array): string => {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
};

/** The text of a good SKILL.md. */
export const skillText = (
  name: string,
  description = `Does ${name}. Use it for ${name}.`,
  body = '# Steps\n\n1. Begin.',
): string => `---\nname: ${name}\ndescription: ${description}\n---\n\n${body}\n`;

/** Waits until the question is answered with yes; fails after five seconds. */
export const eventually = async (question: () => boolean, what: string): Promise<void> => {
  const end = performance.now() + 5000;
  while (!question()) {
    if (performance.now() > end) throw new Error(`It did not come true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
