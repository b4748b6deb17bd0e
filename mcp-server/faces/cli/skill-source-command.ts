import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { z } from 'zod';
import { counted } from '../../domain/text.ts';
import type { importResult } from '../../operations/skill-views.ts';
import { askYes, canAsk, hasConsent } from './consent.ts';
import { type CliContext, EXIT } from './context.ts';
import type { EngineClient } from './engine-client.ts';
import type { ImportFrom, SkillAction } from './skill-arguments.ts';
import { printable } from './terminal.ts';

type ImportResult = z.infer<typeof importResult>;
type Preview = NonNullable<ImportResult['preview']>;
type Action = Extract<SkillAction, { kind: 'import' | 'update' }>;

const NOTHING_DONE = 'Nothing was imported.';

/** `coppice skill import` and `update`: shows what would come, asks, and brings it. Resolves with the exit status. */
export const bringSkill = async (
  context: CliContext,
  client: EngineClient,
  action: Action,
  json: boolean,
): Promise<number> => {
  const operation = action.kind === 'import' ? 'skill_import' : 'skill_update';
  const input = action.kind === 'import' ? importInput(action) : { name: action.name };
  const ask = (more: Record<string, unknown>): Promise<ImportResult> =>
    client.call<ImportResult>(operation, { ...input, ...more });
  // Who names the hash has looked before.
  let agreed = action.agree || (action.yes && action.expect !== null);
  let result = await ask({ agreed });
  if (result.kind === 'agree') {
    if (!(await agrees(context, action, result, json))) return EXIT.notRun;
    agreed = true;
    result = await ask({ agreed });
  }
  const { preview } = result;
  if (preview === null) return choose(context, result, json);
  if (isCurrent(preview)) return upToDate(context, result, preview, json);
  if (!json) context.terminal.print(`${printable(preview.text)}\nHash: ${preview.hash}`);
  const replaced = preview.change?.changedByHand ?? [];
  const consent = await hasConsent(context, action, json, {
    accepted: [preview.hash, ...(/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(preview.pin) ? [preview.pin] : [])],
    question:
      replaced.length === 0
        ? `${action.kind === 'import' ? 'Import' : 'Update'} ${preview.name}?`
        : `Replace ${preview.name}? What was changed by hand (${counted(replaced.length, 'file')}) is kept in .coppice/removed-skills.`,
    undone: NOTHING_DONE,
    flags: replaced.length > 0 && !action.force ? ' --force' : '',
  });
  if (!consent) {
    if (json) context.terminal.print(JSON.stringify(result));
    return EXIT.notRun;
  }
  const replaceChanged = action.force || (replaced.length > 0 && canAsk(context, json, action.yes));
  return installed(context, await ask({ agreed, hash: preview.hash, replaceChanged }), json);
};

const importInput = ({ from, name }: Extract<Action, { kind: 'import' }>): Record<string, unknown> => ({
  ...sourceInput(from),
  ...(name === null ? {} : { name }),
});

const sourceInput = (from: ImportFrom): Record<string, unknown> => {
  switch (from.kind) {
    case 'git': {
      const { url, ref } = gitSource(from.source);
      return { kind: 'git', url, ...(ref === null ? {} : { ref }), ...(from.path === null ? {} : { path: from.path }) };
    }
    case 'clawhub':
      return { kind: 'clawhub', slug: from.slug, ...(from.version === null ? {} : { version: from.version }) };
    case 'langchain':
      return from;
  }
};

/** `URL@REF` taken apart; a local path becomes absolute, and an `@` in one that is there belongs to it. */
export const gitSource = (
  source: string,
  isThere: (path: string) => boolean = existsSync,
): { readonly url: string; readonly ref: string | null } => {
  // An "@" before the host is the user's; one letter and a colon are a drive.
  const [, base = '', rest = ''] =
    /^([a-z][a-z0-9+.-]*:\/\/[^/]*|(?:[^/\\:@]+@[^/\\:@]+|[^/\\:@]{2,}):)(.*)$/is.exec(source) ?? [];
  const isRemote = base !== '';
  const path = isRemote ? rest : source;
  if (!isRemote && isThere(source)) return { url: resolve(source), ref: null };
  const at = isRemote ? path.indexOf('@') : path.lastIndexOf('@');
  const [head, ref] = at < 1 ? [path, null] : [path.slice(0, at), path.slice(at + 1) || null];
  return { url: isRemote ? base + head : resolve(head), ref };
};

/** Looking at a LangChain tool runs its code, which a person has to know. */
const agrees = async (context: CliContext, action: Action, result: ImportResult, json: boolean): Promise<boolean> => {
  const { terminal } = context;
  const question = printable(result.question ?? '');
  if (canAsk(context, json, action.yes)) {
    terminal.print(question);
    if (await askYes(context, 'Look at it?')) return true;
    terminal.warn(NOTHING_DONE);
    return false;
  }
  if (json) terminal.print(JSON.stringify(result));
  else terminal.print(question);
  terminal.warn(`${NOTHING_DONE} When you agree to that, give the same command with: --agree`);
  return false;
};

const choose = ({ terminal }: CliContext, result: ImportResult, json: boolean): number => {
  if (json) terminal.print(JSON.stringify(result));
  else {
    terminal.print(['There are several:', ...result.choices.map((one) => `  ${printable(one)}`)].join('\n'));
    const how = result.of === 'path' ? 'with --path and one of these folders' : 'with one of these names';
    terminal.warn(`${NOTHING_DONE} Give the same command ${how}.`);
  }
  return EXIT.usage;
};

const isCurrent = ({ change, pin }: Preview): boolean =>
  change !== null &&
  change.pinBefore === pin &&
  [change.files.added, change.files.changed, change.files.removed, change.changedByHand].every(
    (files) => files.length === 0,
  );

const upToDate = ({ terminal }: CliContext, result: ImportResult, preview: Preview, json: boolean): number => {
  terminal.print(json ? JSON.stringify(result) : `${preview.name} is up to date, at ${printable(preview.pin)}.`);
  return EXIT.ok;
};

const installed = ({ terminal, program, repoFlag }: CliContext, result: ImportResult, json: boolean): number => {
  if (json) {
    terminal.print(JSON.stringify(result));
    return EXIT.ok;
  }
  const name = result.skill?.name ?? '';
  terminal.print(
    `Imported ${name} into ${printable(result.folder ?? '')}.\n` +
      `Only its instructions can be read until you trust it: ${program} skill trust ${name}${repoFlag}`,
  );
  return EXIT.ok;
};
