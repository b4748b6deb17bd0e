import assert from 'node:assert/strict';
import type { Commit } from '../../../mcp-server/domain/ids.ts';
import { AUTHOR, cleanUpAfterwards, commitAll, FILES, git, headOf, makeRepository, openAt, put } from './support.ts';

describe('reverting', () => {
  cleanUpAfterwards();

  /** Commits on `main`, one after another; the first is the start. */
  const history = async (...changes: readonly Readonly<Record<string, string>>[]) => {
    const root = makeRepository(FILES);
    const commits: Commit[] = [headOf(root)];
    for (const [index, changed] of changes.entries()) {
      for (const [path, text] of Object.entries(changed)) put(root, path, text);
      commits.push(commitAll(root, `change ${index + 1}`));
    }
    const at = (index: number): Commit => commits.at(index) as Commit;
    return { root, at, repository: await openAt(root) };
  };
  const tree = (root: string, commit: string): string => git(root, 'rev-parse', `${commit}^{tree}`);

  it('gives exactly what was before, when nothing came after', async () => {
    const { root, at, repository } = await history(
      { 'src/a.ts': 'x\n', 'new/deep.txt': 'n\n' },
      { 'README.md': 'two\n' },
    );
    const outcome = await repository.revert(at(-1), { from: at(0), to: at(-1) }, 'Undo', AUTHOR);
    assert.ok(outcome.kind === 'reverted');
    assert.equal(tree(root, outcome.commit), tree(root, at(0)));
    assert.equal(git(root, 'show', '-s', '--format=%P %s', outcome.commit), `${at(-1)} Undo`);
  });

  it('keeps what others did since, elsewhere', async () => {
    const { at, repository } = await history({ 'src/a.ts': 'x\n' }, { 'other.txt': 'o\n' });
    const outcome = await repository.revert(at(2), { from: at(0), to: at(1) }, 'Undo', AUTHOR);
    assert.ok(outcome.kind === 'reverted');
    assert.equal(await repository.fileAt(outcome.commit, 'src/a.ts'), await repository.fileAt(at(0), 'src/a.ts'));
    assert.equal(await repository.fileAt(outcome.commit, 'other.txt'), 'o\n');
  });

  it('names the files that others have changed in the same places', async () => {
    const { root, at, repository } = await history({ 'src/a.ts': 'x\n' }, { 'src/a.ts': 'y\n' });
    const refs = git(root, 'for-each-ref');
    const outcome = await repository.revert(at(2), { from: at(0), to: at(1) }, 'Undo', AUTHOR);
    assert.deepEqual(outcome, { kind: 'conflict', files: ['src/a.ts'] });
    assert.equal(git(root, 'for-each-ref'), refs);
  });

  it('knows when nothing is left to take back', async () => {
    const { at, repository } = await history({ 'src/a.ts': 'x\n' });
    assert.deepEqual(await repository.revert(at(0), { from: at(0), to: at(1) }, 'Undo', AUTHOR), {
      kind: 'up-to-date',
    });
    assert.deepEqual(await repository.revert(at(1), { from: at(1), to: at(1) }, 'Undo', AUTHOR), {
      kind: 'up-to-date',
    });
  });
});
