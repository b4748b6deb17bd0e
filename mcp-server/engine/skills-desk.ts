import { lstat, mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { UserError } from '../domain/errors.ts';
import { oneLine } from '../domain/text.ts';
import { checkText } from '../skills/check-text.ts';
import { fixOf } from '../skills/fixes.ts';
import type { Importer, ImportRequest } from '../skills/imports/import-skill.ts';
import { previewText } from '../skills/imports/preview.ts';
import { askLines, heldLine } from '../skills/may-lines.ts';
import { checkName, templateFiles } from '../skills/new-skill.ts';
import type { SkillDiagnostic, SkillRegistry, SkillSummary } from '../skills/port.ts';
import { readRegular } from '../skills/read-file.ts';
import type { Core } from './core.ts';
import type { SkillParts } from './skill-parts.ts';
import { trustedBy, trustId } from './skill-permissions.ts';
import { approveDraft, draftView, reviewDraft, testOf } from './skill-reviews.ts';
import { type RunFollower, runSkill } from './skill-runs.ts';
import { importedView, skillView } from './skill-views.ts';
import type { ImportResult, SkillProblem, SkillsFacade, SkillView } from './skills-facade.ts';

/** A "no" holds for the call that asked, which comes again within this time, ms. */
const REFUSAL_MS = 30_000;
const LARGEST_TEXT = 1_000_000;

/** The part of the façade that is about skills. */
export const skillsFacade = (core: Core, follow: RunFollower): SkillsFacade => {
  const parts = core.parts.skills;
  return parts ? withSkills(core, parts, follow) : withoutSkills();
};

/** For an engine that has none. */
export const withoutSkills = (): SkillsFacade => {
  const none = async (): Promise<never> => {
    throw new UserError('not-found', 'This engine offers no skills.');
  };
  return {
    listSkills: async () => ({ skills: [], imported: [] }),
    searchSkills: async () => [],
    readSkill: none,
    readSkillFile: none,
    runSkill: none,
    pinSkill: none,
    trustSkill: none,
    distrustSkill: none,
    checkSkills: async () => [],
    importSkill: none,
    updateSkill: none,
    removeSkill: none,
    searchHub: none,
    newSkill: none,
    listDrafts: async () => [],
    reviewDraft: none,
    testDraft: none,
    approveDraft: none,
    discardDraft: none,
    decideSkillApproval: none,
    nextSkillApproval: none,
  };
};

const withSkills = (core: Core, parts: SkillParts, follow: RunFollower): SkillsFacade => ({
  ...looks(parts),
  ...trust(core, parts.registry),
  ...runs(core, parts, follow),
  ...imports(parts),
  ...draftWork(core, parts),
  newSkill: (input) => newSkill(core, parts.registry, input),
});

type Looks = Pick<SkillsFacade, 'listSkills' | 'searchSkills' | 'readSkill' | 'readSkillFile' | 'checkSkills'>;

const looks = ({ registry, imports: offered }: SkillParts): Looks => ({
  listSkills: async () => ({
    skills: registry.list().map(skillView),
    imported: ((await offered?.importer.list()) ?? []).map(importedView),
  }),
  searchSkills: async ({ query, limit }) => (await registry.search(query, limit)).map(({ skill }) => skillView(skill)),
  readSkill: async (name) => {
    const skill = await registry.read(name);
    if (!skill) throw noSkill(name);
    const { body, files, manifest } = skill;
    return { skill: skillView(skill), body, files, input: manifest.input, output: manifest.output };
  },
  readSkillFile: async ({ name, path }) =>
    summaryOf(registry, name).state === 'needs-review' ? null : textOf(await registry.readFile(name, path)),
  checkSkills: (of) => checkSkills(registry, of),
});

const trust = (
  core: Core,
  registry: SkillRegistry,
): Pick<SkillsFacade, 'pinSkill' | 'trustSkill' | 'distrustSkill'> => {
  const viewOf = (name: string): SkillView => skillView(summaryOf(registry, name));
  return {
    pinSkill: async ({ name, pinned }) => {
      await registry.pin(name, pinned);
      return viewOf(name);
    },
    trustSkill: async ({ name, hash, unconfined = false }) => {
      await registry.trust(name, hash, { unconfined });
      await core.skillWaits.settleSkill(core, name);
      return viewOf(name);
    },
    distrustSkill: async (name) => {
      summaryOf(registry, name);
      await registry.distrust(name);
      return viewOf(name);
    },
  };
};

const runs = (
  core: Core,
  parts: SkillParts,
  follow: RunFollower,
): Pick<SkillsFacade, 'runSkill' | 'decideSkillApproval' | 'nextSkillApproval'> => {
  const { registry } = parts;
  const { clock } = core.parts;
  const refused = new Map<string, number>();
  return {
    runSkill: async (input, signal) => {
      heedRefusal(refused, summaryOf(registry, input.name), clock.now());
      return runSkill(core, parts, follow, input, signal);
    },
    decideSkillApproval: async (id, approved) => {
      const about = trustedBy(id);
      if (about === null) throw new UserError('not-found', 'Nothing waits for this answer.');
      if (approved) await registry.trust(about.name, about.hash, about);
      const waited = await core.skillWaits.settle(core, id, approved);
      if (!approved && !waited) refused.set(id, clock.now() + REFUSAL_MS);
    },
    nextSkillApproval: (run, seen, signal) => core.skillWaits.next(run, seen, signal),
  };
};

type DraftWork = Pick<SkillsFacade, 'listDrafts' | 'reviewDraft' | 'testDraft' | 'approveDraft' | 'discardDraft'>;

const draftWork = (core: Core, parts: SkillParts): DraftWork => {
  const { registry, drafts } = parts;
  return {
    listDrafts: async () => (await drafts.list()).map((draft) => draftView(registry, draft)),
    reviewDraft: (name) => reviewDraft(parts, name),
    testDraft: (name, signal) => testOf(core, parts, name, signal),
    approveDraft: (input) => approveDraft(parts, input),
    discardDraft: async (name) => {
      const movedTo = await drafts.discard(name);
      await registry.reload();
      return { movedTo };
    },
  };
};

/** The person has just said no: they are not asked the same once more for the same call. */
const heedRefusal = (refused: Map<string, number>, skill: SkillSummary, now: number): void => {
  const id = trustId(skill);
  const until = refused.get(id);
  refused.delete(id);
  if (until !== undefined && now < until)
    throw new UserError('permission-denied', `The person does not trust the skill ${skill.name}. It was not run.`);
};

const noSkill = (name: string): UserError =>
  new UserError('not-found', `There is no skill ${oneLine(name, 64)}. Search for it, or list all skills.`);

const summaryOf = (registry: SkillRegistry, name: string): SkillSummary => {
  const found = registry.list().find((skill) => skill.name === name);
  if (found) return found;
  throw noSkill(name);
};

const textOf = (bytes: Uint8Array | undefined): string | null =>
  bytes === undefined || bytes.byteLength > LARGEST_TEXT || bytes.includes(0)
    ? null
    : Buffer.from(bytes).toString('utf8');

const checkSkills = async (
  registry: SkillRegistry,
  { name, file, text }: Parameters<SkillsFacade['checkSkills']>[0],
): Promise<readonly SkillProblem[]> => {
  const folder = name === undefined ? null : summaryOf(registry, name).folder;
  const saved = registry
    .diagnostics()
    .filter(
      (one) => (folder === null || one.file.startsWith(folder + sep)) && (file === undefined || one.file === file),
    );
  if (file !== undefined && text !== undefined) {
    const files = basename(file) === 'manifest.json' ? await filesBeside(registry, file) : null;
    return checkText(file, text, saved, files).map((one) => problemOf(one, text));
  }
  // What is told of may be a link, to a device for example: only a plain file is read, and no more than is used.
  const bytes =
    file === undefined || saved.length === 0 ? null : await readRegular(file, LARGEST_TEXT).catch(() => null);
  const onDisk = bytes ? Buffer.from(bytes).toString('utf8') : null;
  return saved.map((one) => problemOf(one, onDisk));
};

/** The files of the skill that a file is one of; null: it is of none that is known. */
const filesBeside = async (registry: SkillRegistry, file: string): Promise<readonly string[] | null> => {
  const skill = registry.list().find(({ folder }) => folder === dirname(file));
  const read = skill && (await registry.read(skill.name));
  return read?.folder === dirname(file) ? [basename(read.file), ...read.files] : null;
};

const problemOf = (diagnostic: SkillDiagnostic, text: string | null): SkillProblem => {
  const fix = fixOf(diagnostic);
  const fixed = fix && text !== null && text.length <= LARGEST_TEXT ? fix.apply(text) : null;
  return { ...diagnostic, fix: fix?.title ?? null, fixed: fixed === text ? null : fixed };
};

type Imports = Pick<SkillsFacade, 'importSkill' | 'updateSkill' | 'removeSkill' | 'searchHub'>;

const imports = ({ registry, imports: offered }: SkillParts): Imports => {
  const importer = (): Importer => {
    if (offered) return offered.importer;
    throw new UserError('wrong-state', 'This engine cannot import skills.');
  };
  const bring = async (
    request: ImportRequest,
    { hash, replaceChanged }: { readonly hash: string | null; readonly replaceChanged: boolean },
    signal: AbortSignal,
  ): Promise<ImportResult> => {
    if (hash === null) {
      const shown = await importer().preview(request, signal);
      if (shown.kind !== 'preview') return shown;
      const { preview } = shown;
      return { ...shown, text: previewText(preview), asks: askLines(preview), held: heldLine(preview.hold) };
    }
    const skill = await importer().install(request, hash, { replaceChanged }, signal);
    await registry.reload();
    return { kind: 'installed', skill: importedView(skill), hash: skill.hash, folder: skill.folder };
  };
  return {
    importSkill: ({ request, ...how }, signal) => bring(request, how, signal),
    updateSkill: async ({ name, agreed, ...how }, signal) =>
      bring(await importer().updateRequest(name, agreed), how, signal),
    removeSkill: async ({ name, evenIfChanged }) => {
      const removed = await importer().remove(name, { evenIfChanged });
      await registry.reload();
      return removed;
    },
    searchHub: async ({ query, limit }, signal) => {
      if (!offered) throw new UserError('wrong-state', 'This engine cannot import skills.');
      return offered.searchHub(query, limit, signal);
    },
  };
};

const newSkill = async (
  core: Core,
  registry: SkillRegistry,
  { name, description, kind, shared }: Parameters<SkillsFacade['newSkill']>[0],
): Promise<{ readonly file: string }> => {
  checkName(name);
  const { repository } = core.parts;
  const folder = join(shared ? join(repository.root, '.agents') : repository.stateDir, 'skills', name);
  if (await lstat(folder).catch(() => null))
    throw new UserError('wrong-state', `${folder} exists already. Choose another name.`);
  for (const [path, text] of templateFiles(name, description, kind)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text, { flag: 'wx' });
  }
  await registry.reload();
  return { file: join(folder, 'SKILL.md') };
};
