import { UserError } from '../../domain/errors.ts';
import type { CliContext } from './context.ts';
import { LineReader } from './line-reader.ts';
import type { Consent } from './skill-arguments.ts';

/** Asks a person who sits at the terminal; everything but yes is no. */
export const askYes = async ({ terminal }: Pick<CliContext, 'terminal'>, question: string): Promise<boolean> => {
  const lines = new LineReader(terminal.stdin);
  try {
    terminal.warn(`${question} [y/N]`);
    const line = await lines.next(new AbortController().signal);
    return /^y(es)?$/i.test(line?.trim() ?? '');
  } finally {
    lines.close();
  }
};

/** Somebody is there to be asked, and did not forbid it. */
export const canAsk = ({ terminal }: Pick<CliContext, 'terminal'>, json: boolean, yes: boolean): boolean =>
  terminal.canAsk && !json && !yes;

/** `accepted`: what they may name it by, the hash first. `flags`: what else the command needs where nobody is asked. */
interface Asked {
  readonly accepted: readonly string[];
  readonly question: string;
  readonly undone: string;
  readonly flags?: string;
}

/**
 * Whether the person agrees to what they were shown: asked at the terminal, or said beforehand with `--yes --expect HASH`.
 * Throws UserError `wrong-state` when they have looked at something else.
 */
export const hasConsent = async (
  context: Pick<CliContext, 'terminal'>,
  { yes, expect }: Consent,
  json: boolean,
  about: Asked,
): Promise<boolean> => {
  const [hash = ''] = about.accepted;
  if (expect !== null && !about.accepted.includes(expect))
    throw new UserError('wrong-state', `${about.undone} What is there now is not what --expect names: ${hash}`);
  if (yes && expect !== null) return true;
  if (canAsk(context, json, yes)) {
    if (await askYes(context, about.question)) return true;
    context.terminal.warn(about.undone);
    return false;
  }
  context.terminal.warn(
    `${about.undone} When you agree, give the same command with: --yes --expect ${hash}${about.flags ?? ''}`,
  );
  return false;
};
