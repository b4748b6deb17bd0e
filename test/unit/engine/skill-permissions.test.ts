import assert from 'node:assert/strict';
import { mayLines } from '../../../mcp-server/engine/skill-permissions.ts';
import { NO_MANIFEST } from '../../../mcp-server/skills/manifest.ts';

describe('What a skill may do once it is trusted', () => {
  const may = (entry: string, asked: { readonly commands?: readonly string[]; readonly hosts?: readonly string[] }) => {
    const permissions = { ...NO_MANIFEST.permissions, read: ['docs/**'], ...asked };
    return mayLines({ kind: 'script', manifest: { ...NO_MANIFEST, entry, permissions } });
  };

  it('is what it declares, where its script is held to that', () => {
    assert.deepEqual(may('run.mjs', {}), ['run its script run.mjs', 'read docs/**']);
  });

  it('is told to be all that the person can do, where nothing holds the script', () => {
    for (const lines of [may('run.mjs', { commands: ['git'] }), may('run.py', {}), may('run.sh', {})])
      assert.match(lines.at(-1) ?? '', /all that you can do/);
  });

  it('is told to be any host, where one is declared', () => {
    assert.match(may('run.mjs', { hosts: ['api.example.org'] }).at(-1) ?? '', /any other host/);
    assert.equal(may('run.mjs', { hosts: ['*'] }).at(-1), 'talk to any host');
  });
});
