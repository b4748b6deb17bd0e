import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { hasConsent } from '../../../mcp-server/faces/cli/consent.ts';
import type { Terminal } from '../../../mcp-server/faces/cli/terminal.ts';

const HASH = 'a'.repeat(64);
const COMMIT = 'b'.repeat(40);
const ABOUT = { accepted: [HASH, COMMIT], question: 'Import it?', undone: 'Nothing was imported.' };

/** A terminal at which somebody types this; null: nobody is there. */
const terminalOf = (typed: string | null): { readonly terminal: Terminal; readonly said: string[] } => {
  const said: string[] = [];
  const stdin = new PassThrough();
  stdin.end(typed ?? '');
  const terminal: Terminal = {
    stdin,
    stdout: new PassThrough(),
    live: false,
    canAsk: typed !== null,
    color: false,
    size: () => ({ columns: 80, rows: 24 }),
    print: () => assert.fail('what is asked goes to stderr'),
    warn: (text) => void said.push(text),
    onInterrupt: () => () => {},
  };
  return { terminal, said };
};

describe('consent', () => {
  const ask = (terminal: Terminal, consent: { yes?: boolean; expect?: string } = {}, json = false): Promise<boolean> =>
    hasConsent({ terminal }, { yes: consent.yes ?? false, expect: consent.expect ?? null }, json, ABOUT);

  it('is a yes at the terminal, and nothing else', async () => {
    for (const [typed, wanted] of [
      ['y\n', true],
      ['Yes\n', true],
      ['n\n', false],
      ['\n', false],
      ['yesterday\n', false],
      ['', false],
    ] as const) {
      const { terminal, said } = terminalOf(typed);
      assert.equal(await ask(terminal), wanted, JSON.stringify(typed));
      assert.deepEqual(said, ['Import it? [y/N]', ...(wanted ? [] : ['Nothing was imported.'])]);
    }
  });

  it('is given beforehand only together with what was looked at', async () => {
    for (const expect of [HASH, COMMIT]) {
      const { terminal, said } = terminalOf(null);
      assert.equal(await ask(terminal, { yes: true, expect }), true);
      assert.deepEqual(said, []);
    }
    for (const consent of [{}, { yes: true }, { expect: HASH }]) {
      const { terminal, said } = terminalOf(null);
      assert.equal(await ask(terminal, consent), false);
      assert.deepEqual(said, [
        `Nothing was imported. When you agree, give the same command with: --yes --expect ${HASH}`,
      ]);
    }
  });

  it('asks nobody who wants JSON or said yes to all questions', async () => {
    assert.equal(await ask(terminalOf('y\n').terminal, {}, true), false);
    assert.equal(await ask(terminalOf('y\n').terminal, { yes: true }), false);
  });

  it('does not count for another content', async () => {
    for (const consent of [{ yes: true, expect: 'c'.repeat(64) }, { expect: HASH.slice(0, 12) }])
      await assert.rejects(
        ask(terminalOf('y\n').terminal, consent),
        (error) => error instanceof UserError && error.code === 'wrong-state' && error.message.includes(HASH),
      );
  });
});
