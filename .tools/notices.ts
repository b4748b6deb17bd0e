import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

/** `node_modules/name` of each package that a bundle has code of, sorted. */
const packagesIn = (bundles: readonly Metafile[]): readonly string[] => {
  const found = new Set<string>();
  for (const { outputs } of bundles)
    for (const { inputs } of Object.values(outputs))
      for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
        const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [];
        if (folder && bytesInOutput > 0) found.add(folder);
      }
  return [...found].sort();
};

/** Name, version and licence of a package with the text of its licence and notices. Throws when it names no licence. */
const noticeOf = async (folder: string): Promise<string> => {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  if (typeof license !== 'string') throw new Error(`${name} ${version} names no licence, so it cannot be shipped.`);
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file)).sort();
  const texts = await Promise.all(files.map(async (file) => (await readFile(join(folder, file), 'utf8')).trim()));
  return [`${name} ${version} (${license})`, ...texts].join('\n\n');
};

const LINE = `\n\n${'-'.repeat(72)}\n\n`;

/** What others' code in the bundles asks to be told with it. */
export const noticesOf = async (root: string, bundles: readonly Metafile[]): Promise<string> => {
  const notices = await Promise.all(packagesIn(bundles).map((folder) => noticeOf(join(root, folder))));
  return `${['Coppice contains code of these packages.', ...notices].join(LINE)}\n`;
};
