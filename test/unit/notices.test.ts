import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import { noticesOf } from '../../.tools/notices.ts';

describe('The licences in the package', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'coppice-notices-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const install = async (folder: string, manifest: object, files: Readonly<Record<string, string>>): Promise<void> => {
    const path = join(root, 'node_modules', folder);
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'package.json'), JSON.stringify({ version: '1.2.3', main: 'index.js', ...manifest }));
    for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  };

  const bundleOf = async (source: string): Promise<Metafile> => {
    await writeFile(join(root, 'main.js'), source);
    const options = { absWorkingDir: root, bundle: true, write: false, metafile: true } as const;
    return (await build({ ...options, entryPoints: ['main.js'], logLevel: 'silent' })).metafile;
  };

  it('are those of whose code is in it, also below others, and of nobody else', async () => {
    const code = 'module.exports = () => 1;';
    await install(
      '@own/top',
      { name: '@own/top', license: 'MIT' },
      { 'index.js': "require('below')", LICENSE: 'Top!' },
    );
    await install(
      '@own/top/node_modules/below',
      { name: 'below', license: 'ISC' },
      { 'index.js': code, 'LICENCE.md': 'Below!', NOTICE: 'Seen.' },
    );
    await install('unused', { name: 'unused', license: 'MIT' }, { 'index.js': code, LICENSE: 'Unused!' });
    const text = await noticesOf(root, [await bundleOf("require('@own/top')")]);
    assert.match(text, /@own\/top 1\.2\.3 \(MIT\)\n\nTop!/);
    assert.match(text, /below 1\.2\.3 \(ISC\)\n\nBelow!\n\nSeen\./);
    assert.doesNotMatch(text, /unused/i);
  });

  it('must be named', async () => {
    await install('bare', { name: 'bare' }, { 'index.js': 'module.exports = 1' });
    const bundle = await bundleOf("require('bare')");
    await assert.rejects(noticesOf(root, [bundle]), /bare 1\.2\.3 names no licence/);
  });
});
