import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Commit } from '../../../mcp-server/domain/ids.ts';
import { createRefWriter, REF_WRITER, type RefWriter } from '../../../mcp-server/worktrees/ref-writer.ts';
import { cleanUpAfterwards, commitAll, git, headOf, makeRepository } from './support.ts';

const NONE = '0'.repeat(40);
const made = (ref: string, commit: string, old = NONE): string => `update refs/heads/${ref}\0${commit}\0${old}\0`;

describe('a writer of refs', () => {
  cleanUpAfterwards();
  let root: string;
  let first: Commit;
  let sessions: ChildProcessWithoutNullStreams[];
  let heard: string[];
  let now: number;
  let writer: RefWriter;

  beforeEach(() => {
    root = makeRepository();
    first = headOf(root);
    sessions = [];
    heard = [];
    const start = (): ChildProcessWithoutNullStreams => {
      const child = spawn('git', REF_WRITER, { cwd: root });
      sessions.push(child);
      return child;
    };
    now = 1_000_000;
    writer = createRefWriter(
      start,
      { now: () => now },
      {
        before: (label) => heard.push(`before ${label}`),
        after: (label) => heard.push(`after ${label}`),
      },
    );
  });
  afterEach(() => writer.close());

  const commitOf = (ref: string): string => git(root, 'rev-parse', '--verify', '--quiet', ref);

  it('moves any number of them through one git process, in the order of the calls', async () => {
    const second = commitAll(root);
    await Promise.all([
      ...Array.from({ length: 40 }, (_, n) => writer.write(made(`x/${n}`, first))),
      writer.write(made('x/7', second, first)),
      writer.write(`delete refs/heads/x/8\0${first}\0`),
    ]);
    assert.equal(sessions.length, 1);
    assert.deepEqual([commitOf('x/7'), commitOf('x/39')], [second, first]);
    assert.throws(() => commitOf('x/8'));
    assert.deepEqual(heard.slice(0, 3), ['before update-ref', 'after update-ref', 'before update-ref']);
  });

  it('moves none when one of them is not where it should be, says so in the words of git, and goes on', async () => {
    const second = commitAll(root);
    const together = made('good', first) + made('main', first, first);
    await assert.rejects(writer.write(together), {
      name: 'GitError',
      message: /update-ref failed.*refs\/heads\/main/s,
    });
    assert.throws(() => commitOf('good'));
    assert.equal(commitOf('main'), second);
    assert.equal(heard.length, 1, 'what failed is not told as done');
    await writer.write(made('good', first));
    assert.equal(commitOf('good'), first);
    assert.equal(sessions.length, 2);
  });

  it('lets those that wait behind a refused one have their turn', async () => {
    const outcomes = await Promise.allSettled([
      writer.write(made('one', first)),
      writer.write(made('one', first)),
      writer.write(made('two', first)),
    ]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.equal(commitOf('two'), first);
  });

  it('starts another git when the one before has ended meanwhile', async () => {
    await writer.write(made('one', first));
    const [session] = sessions;
    session?.kill('SIGKILL');
    if (session) await once(session, 'close');
    await writer.write(made('two', first));
    assert.deepEqual([commitOf('one'), commitOf('two'), sessions.length], [first, first, 2]);
  });

  it('starts another git after a while, since git writes the time of its start into the logs of refs', async () => {
    await writer.write(made('one', first));
    now += 9_000;
    await writer.write(made('two', first));
    assert.equal(sessions.length, 1);
    now += 2_000;
    await writer.write(made('three', first));
    assert.equal(sessions.length, 2);
    const [old] = sessions;
    if (old && old.exitCode === null) await once(old, 'close');
    assert.equal(old?.exitCode, 0, 'the first one has ended');
    assert.deepEqual([commitOf('one'), commitOf('two'), commitOf('three')], [first, first, first]);
  });

  it('says that git is missing, and goes on when it is there again', async () => {
    const commands = ['no-such-git', 'git'];
    const unsure = createRefWriter(() => spawn(commands.shift() ?? 'git', REF_WRITER, { cwd: root }), {
      now: () => now,
    });
    await assert.rejects(unsure.write(made('one', first)), { name: 'UserError', message: /git was not found/ });
    await unsure.write(made('one', first));
    assert.equal(commitOf('one'), first);
    await unsure.close();
  });

  it('fails when git is killed in the middle of it, instead of waiting for ever', async () => {
    await writer.write(made('one', first));
    sessions[0]?.kill('SIGSTOP');
    const writing = writer.write(made('two', first));
    sessions[0]?.kill('SIGKILL');
    await assert.rejects(writing, { name: 'GitError', message: /ended by a signal/ });
    assert.throws(() => commitOf('two'));
  });

  it('ends its git when it is closed, after what was asked before, and moves nothing any more', async () => {
    const writing = writer.write(made('one', first));
    await writer.close();
    await writing;
    const [session] = sessions;
    if (session && session.exitCode === null) await once(session, 'close');
    assert.equal(session?.exitCode, 0);
    assert.equal(commitOf('one'), first);
    await assert.rejects(writer.write(made('two', first)), /closed/);
  });
});
