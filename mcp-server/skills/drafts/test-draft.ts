import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../domain/clock.ts';
import type { ScriptOutcome, ScriptRequest } from '../execute/run-script.ts';
import type { Draft } from './drafts.ts';

/** What one of a draft's tests did. */
export interface TestOutcome {
  readonly file: string;
  readonly ok: boolean;
  /** Why it failed; empty when it did not. */
  readonly message: string;
  readonly ms: number;
}

/** In JavaScript any file there; in Python or shell the name says it, because others are parts of tests. */
const TEST = /^tests\/(?:[^/]+\.[cm]?[jt]s|test[^/]*\.(?:py|sh))$/;
const TIMEOUT_MS = 30_000;
const OUTPUT_CHARS = 20_000;
const MOST_TESTS = 20;
const NOTHING = { read: [], write: [], commands: [], hosts: [] } as const;

/** The files of a draft that are its tests. */
export const testsOf = (draft: Draft): readonly string[] =>
  [...draft.files.keys()]
    .filter((path) => TEST.test(path))
    .sort()
    .slice(0, MOST_TESTS);

/**
 * Runs the tests of a draft one by one, each on a copy, in an empty folder: no file of the repository, no other program.
 * A test passes when it ends with status 0. Throws UserError where nothing would hold it to that: `run` refuses it, because
 * nobody has granted a draft anything.
 */
export const testDraft = async (
  parts: {
    readonly stateDir: string;
    readonly clock: Clock;
    readonly run: (request: ScriptRequest, signal: AbortSignal) => Promise<ScriptOutcome>;
  },
  draft: Draft,
  signal: AbortSignal,
): Promise<readonly TestOutcome[]> => {
  const files = testsOf(draft);
  const temporary = join(parts.stateDir, 'tmp');
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  const root = await mkdtemp(join(temporary, 'draft-test-'));
  try {
    const outcomes: TestOutcome[] = [];
    for (const file of files) {
      const manifest = { ...draft.skill.manifest, entry: file, permissions: NOTHING, timeoutMs: TIMEOUT_MS };
      const startedAt = parts.clock.now();
      const skill = { ...draft.skill, manifest };
      const outcome = await parts.run({ skill, input: {}, root, outputChars: OUTPUT_CHARS }, signal);
      signal.throwIfAborted();
      outcomes.push({ file, ...verdictOf(outcome), ms: parts.clock.now() - startedAt });
    }
    return outcomes;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
};

/** What a test writes is for people: it need not be JSON. */
const verdictOf = (outcome: ScriptOutcome): Pick<TestOutcome, 'ok' | 'message'> => {
  if (outcome.kind === 'returned' || outcome.reason === 'output') return { ok: true, message: '' };
  return { ok: false, message: [outcome.message, outcome.notes].filter(Boolean).join('\n') };
};
