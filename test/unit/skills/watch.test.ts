import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SkillWatch } from '../../../mcp-server/skills/watch.ts';
import { eventually, put, removeFoldersAfterwards, temporaryFolder } from './places.ts';

/** Both ways, whatever this system would use by itself. */
for (const recursive of [false, true]) {
  describe(`Watching folders, ${recursive ? 'a tree at once' : 'each by itself'}`, () => {
    removeFoldersAfterwards();
    let heard = 0;
    let watch: SkillWatch;
    const open = (most = 100): SkillWatch =>
      (watch = new SkillWatch({ onChange: () => void (heard += 1), recursive, most }));
    beforeEach(() => void (heard = 0));
    afterEach(() => watch.close());
    const scan = (root: string, ...below: string[]): void => {
      watch.begin();
      watch.see(root, true);
      for (const folder of below) watch.see(join(root, folder));
      watch.end();
    };

    it('hears of files in all folders that were seen', async () => {
      const root = temporaryFolder();
      mkdirSync(join(root, 'a/b'), { recursive: true });
      open();
      scan(root, 'a', 'a/b');
      put(root, 'a/b/file', 'x');
      await eventually(() => heard > 0, 'a file deep down');
    });

    it('hears of a folder that appears piece by piece, and of nothing beside it', async () => {
      const base = temporaryFolder();
      open();
      watch.begin();
      await watch.awaitRoot(base, '.a/b');
      watch.end();
      put(base, 'other/file', 'x');
      put(base, 'file', 'x');
      await new Promise((resolve) => setTimeout(resolve, 60));
      assert.equal(heard, 0);
      mkdirSync(join(base, '.a'));
      await eventually(() => heard > 0, 'the first piece');
      watch.begin();
      await watch.awaitRoot(base, '.a/b');
      watch.end();
      heard = 0;
      mkdirSync(join(base, '.a/b'));
      await eventually(() => heard > 0, 'the second piece');
    });

    it('lets go of what a scan did not see again, and of everything when it is closed', async () => {
      const [kept, gone] = [temporaryFolder(), temporaryFolder()];
      open();
      scan(gone);
      scan(kept);
      put(gone, 'file', 'x');
      await new Promise((resolve) => setTimeout(resolve, 60));
      assert.equal(heard, 0);
      watch.close();
      put(kept, 'file', 'x');
      scan(kept);
      await new Promise((resolve) => setTimeout(resolve, 60));
      assert.equal(heard, 0);
    });

    it('says when it may not watch more, and minds no folder that is gone', () => {
      const [one, two] = [temporaryFolder(), temporaryFolder()];
      open(1);
      scan(one);
      assert.equal(watch.limited, false);
      watch.begin();
      watch.see(one, true);
      watch.see(two, true);
      watch.end();
      assert.equal(watch.limited, true);
      rmSync(two, { recursive: true });
      watch.close();
      open();
      scan(two);
      assert.equal(watch.limited, false);
    });
  });
}
