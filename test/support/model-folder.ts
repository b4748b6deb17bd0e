import { cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const models = new Map<string, string>();
process.once('exit', () => {
  for (const model of models.values()) rmSync(model, { recursive: true, force: true });
});

/** Fills `folder` with what `make` puts into a new one. It is made once for each key and copied from then on. */
export const fillAsModel = (folder: string, key: string, make: (model: string) => void): void => {
  let model = models.get(key);
  if (model === undefined) {
    model = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-model-')));
    make(model);
    models.set(key, model);
  }
  cpSync(model, folder, { recursive: true, verbatimSymlinks: true });
};
