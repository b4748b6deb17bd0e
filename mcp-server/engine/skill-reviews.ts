import { UserError } from '../domain/errors.ts';
import type { Draft } from '../skills/drafts/drafts.ts';
import { testDraft, testsOf } from '../skills/drafts/test-draft.ts';
import { heldLine, mayLines } from '../skills/may-lines.ts';
import type { SkillRegistry, SkillSummary } from '../skills/port.ts';
import { textDiff } from '../skills/text-diff.ts';
import type { Core } from './core.ts';
import type { SkillParts } from './skill-parts.ts';
import { skillView } from './skill-views.ts';
import type { DraftFile, DraftReview, DraftTest, DraftView, SkillView } from './skills-facade.ts';

const SHOWN_BYTES = 200_000;

/** The skill whose place a draft of this name would take. */
const presentOf = (registry: SkillRegistry, name: string): SkillSummary | undefined =>
  registry.list().find((skill) => skill.name === name && skill.state !== 'draft');

/** A draft as faces show it. */
export const draftView = (registry: SkillRegistry, draft: Draft): DraftView => {
  const { name, description, folder, hash, kind, tokens } = draft.skill;
  return {
    name,
    description,
    folder,
    hash,
    kind,
    tokens,
    files: [...draft.files.keys()].sort(),
    may: mayLines(draft.skill),
    hold: draft.skill.hold,
    held: heldLine(draft.skill.hold),
    run: draft.author?.run ?? null,
    agent: draft.author?.agent ?? null,
    replaces: presentOf(registry, name)?.source.kind ?? null,
    problems: draft.problems,
  };
};

/** What a draft would change. */
export const reviewDraft = async (parts: SkillParts, name: string): Promise<DraftReview> => {
  const { registry } = parts;
  const draft = await parts.drafts.get(name);
  const present = presentOf(registry, name) && (await registry.read(name));
  const main = present?.file.slice(present.folder.length + 1);
  const before = present ? [...present.files, ...(main ? [main] : [])] : [];
  const files: DraftFile[] = [];
  for (const path of [...new Set([...before, ...draft.files.keys()])].sort()) {
    const old = before.includes(path) ? ((await registry.readFile(name, path)) ?? null) : null;
    files.push(compared(path, old, draft.files.get(path) ?? null));
  }
  const may = present ? mayLines(present) : [];
  const asksMore = mayLines(draft.skill).filter((line) => !may.includes(line));
  const patch = files.map(({ path, before: old, after }) => textDiff(path, old, after)).join('');
  return { draft: draftView(registry, draft), files, patch, asksMore };
};

const compared = (path: string, before: Uint8Array | null, after: Uint8Array | null): DraftFile => {
  const texts = { before: textOf(before), after: textOf(after) };
  if (before === null) return { path, status: 'added', ...texts };
  if (after === null) return { path, status: 'removed', ...texts };
  return { path, status: Buffer.compare(before, after) === 0 ? 'same' : 'changed', ...texts };
};

const textOf = (bytes: Uint8Array | null): string | null =>
  bytes === null || bytes.byteLength > SHOWN_BYTES || bytes.includes(0) ? null : Buffer.from(bytes).toString('utf8');

/** Runs a draft's tests; without any, its files are looked at only. */
export const testOf = async (core: Core, parts: SkillParts, name: string, signal: AbortSignal): Promise<DraftTest> => {
  const draft = await parts.drafts.get(name);
  const { clock, repository } = core.parts;
  const { run } = parts;
  const tests = await testDraft({ stateDir: repository.stateDir, clock, run }, draft, signal);
  const sound = !draft.problems.some(({ severity }) => severity === 'error');
  const untested = draft.skill.kind === 'script' && testsOf(draft).length === 0;
  return { name, ok: sound && !untested && tests.every(({ ok }) => ok), tests, problems: draft.problems };
};

/**
 * A draft becomes a skill that is trusted for exactly the content that the person has looked at; where nothing holds its
 * script, that is asked for by itself.
 */
export const approveDraft = async (
  parts: SkillParts,
  { name, hash }: { readonly name: string; readonly hash: string },
): Promise<SkillView> => {
  const { registry } = parts;
  await parts.drafts.approve(name, hash);
  await registry.reload();
  const placed = registry.list().find((one) => one.name === name);
  if (placed?.hold !== 'nothing') await registry.trust(name, hash);
  const skill = registry.list().find((one) => one.name === name);
  if (!skill) throw new UserError('not-found', `The skill ${name} is gone.`);
  return skillView(skill);
};
