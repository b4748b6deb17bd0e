import type { Clock } from '../../domain/clock.ts';
import { UserError } from '../../domain/errors.ts';
import type { Random } from '../../domain/ids.ts';
import { oneLine } from '../../domain/text.ts';
import type { ScriptHolds } from '../execute/hold.ts';
import { permissionLines } from '../may-lines.ts';
import type { SkillSource } from '../port.ts';
import {
  compareFiles,
  type FileDifference,
  hashesOf,
  type ImportLimits,
  makeBundle,
  type SkillBundle,
} from './bundle.ts';
import type { ClawHub } from './from-clawhub.ts';
import { type FetchCommit, fetchFromGit } from './from-git.ts';
import { fetchFromLangChain, type LangChainParts, langChainQuestion } from './from-langchain.ts';
import { createInstalledSkills, type Fetched, type ImportedSkill, type InstalledSkills } from './installed-skills.ts';
import { type ImportOrigin, type LockedSkill } from './lock-file.ts';
import { type ImportPreview, previewBundle } from './preview.ts';

/** What to import. */
export type ImportRequest = (
  | { readonly kind: 'git'; readonly url: string; readonly ref?: string | null; readonly path?: string | null }
  | { readonly kind: 'clawhub'; readonly slug: string; readonly version?: string | null }
  /** `agreed`: the person knows that looking at the tool runs the package's code. */
  | { readonly kind: 'langchain'; readonly spec: string; readonly agreed: boolean }
) & {
  /** Another name than that of the source. */
  readonly name?: string;
};

/** A preview, or what must be said before there can be one. */
export type PreviewOutcome =
  | { readonly kind: 'preview'; readonly preview: ImportPreview }
  /** Several skills are there: ask again with one of these as `path` (git) or `spec` (langchain). */
  | { readonly kind: 'choose'; readonly of: 'path' | 'spec'; readonly choices: readonly string[] }
  /** Ask the person, then again with `agreed`. */
  | { readonly kind: 'agree'; readonly question: string };

/** Brings skills of others into `.coppice/skills`, and knows which are there. All of it serialised. */
export interface Importer {
  /** Fetches and looks; writes nothing. */
  preview(request: ImportRequest, signal: AbortSignal): Promise<PreviewOutcome>;
  /**
   * Installs what a preview showed: `hash` is the preview's. Throws UserError `wrong-state` when the source gives
   * something else by now, when the name is taken by a skill that was not imported from there, and, unless
   * `replaceChanged`, when files of it were changed by hand.
   */
  install(
    request: ImportRequest,
    hash: string,
    options: { readonly replaceChanged?: boolean },
    signal: AbortSignal,
  ): Promise<ImportedSkill>;
  /** The request that fetches an imported skill again, as it was asked for. Throws UserError when there is none. */
  updateRequest(name: string, agreed: boolean): Promise<ImportRequest>;
  /** Takes an imported skill out; says where its files are now. Throws UserError when they were changed by hand, unless `evenIfChanged`. */
  remove(
    name: string,
    options: { readonly evenIfChanged?: boolean },
  ): Promise<{ readonly movedTo: string | null; readonly changes: FileDifference }>;
  /** Sorted by name. */
  list(): Promise<readonly ImportedSkill[]>;
}

/** What an importer is made of. */
export interface ImporterParts {
  /** `.coppice` of the repository. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: ImportLimits;
  readonly fetchCommit: FetchCommit;
  readonly hub: ClawHub;
  readonly langChain: LangChainParts;
  /** What this machine can hold scripts with. Absent: nothing. */
  readonly holds?: ScriptHolds;
  /** A skill of this name that is not in `.coppice/skills` and that the new one would hide; null: none. */
  readonly hides: (name: string) => SkillSource | null;
}

/** The importer of one repository; make only one, because it is what keeps changes apart. */
export const createImporter = (parts: ImporterParts): Importer => {
  const disk = createInstalledSkills(parts);
  let last: { readonly hash: string; readonly request: string; readonly fetched: Fetched } | null = null;
  let queue: Promise<unknown> = Promise.resolve();
  const oneByOne = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work);
    queue = result.catch(() => undefined);
    return result;
  };
  const preview = async (request: ImportRequest, signal: AbortSignal): Promise<PreviewOutcome> => {
    if (request.kind === 'langchain' && !request.agreed)
      return { kind: 'agree', question: langChainQuestion(request.spec) };
    const fetched = await fetchSkill(parts, request, signal);
    if ('choices' in fetched) return fetched;
    const shown = await previewOf(parts, disk, fetched);
    last = { hash: shown.hash, request: JSON.stringify(request), fetched };
    return { kind: 'preview', preview: shown };
  };
  const install: Importer['install'] = async (request, hash, options, signal) => {
    // What was shown for this very request need not be fetched again.
    let fetched = last?.hash === hash && last.request === JSON.stringify(request) ? last.fetched : null;
    if (fetched === null) {
      const again = await preview(request, signal);
      if (again.kind !== 'preview' || again.preview.hash !== hash || last === null)
        throw new UserError(
          'wrong-state',
          'The source has something else now than what you looked at. Nothing was installed; look again.',
        );
      fetched = last.fetched;
    }
    const installed = await disk.install(fetched, hash, options.replaceChanged === true);
    last = null;
    return installed;
  };
  return {
    preview: (request, signal) => oneByOne(() => preview(request, signal)),
    install: (request, hash, options, signal) => oneByOne(() => install(request, hash, options, signal)),
    updateRequest: async (name, agreed) => {
      const found = await disk.get(name);
      if (found) return requestOf(found, agreed);
      throw new UserError('not-found', `No skill ${oneLine(name, 64)} was imported into this repository.`);
    },
    remove: (name, options) => oneByOne(() => disk.remove(name, options.evenIfChanged === true)),
    list: () => oneByOne(() => disk.list()),
  };
};

const requestOf = ({ origin, name }: LockedSkill, agreed: boolean): ImportRequest =>
  origin.kind === 'langchain' ? { ...origin, agreed, name } : { ...origin, name };

type Choice = Extract<PreviewOutcome, { kind: 'choose' }>;

const fetchSkill = async (
  parts: ImporterParts,
  request: ImportRequest,
  signal: AbortSignal,
): Promise<Fetched | Choice> => {
  const named = (bundle: SkillBundle): SkillBundle =>
    request.name === undefined ? bundle : makeBundle(request.name, bundle.files, bundle.leftOut, parts.limits);
  if (request.kind === 'git') {
    const source = { url: request.url, ref: request.ref ?? null, path: request.path ?? null };
    const found = await fetchFromGit(parts.fetchCommit, source, parts.limits, signal);
    if (found.kind === 'choose') return { kind: 'choose', of: 'path', choices: found.paths };
    const origin: ImportOrigin = { kind: 'git', url: request.url, ref: source.ref, path: found.path };
    return { bundle: named(found.bundle), origin, pin: found.commit, remarks: [] };
  }
  if (request.kind === 'clawhub') {
    const version = request.version ?? null;
    const found = await parts.hub.fetch(request.slug, version, signal);
    const origin: ImportOrigin = { kind: 'clawhub', slug: request.slug, version };
    const from = found.commit ? [`The hub hands over to ${found.commit.url}, commit ${found.commit.commit}.`] : [];
    const by =
      found.publisher === null ? [] : [`Published by ${oneLine(found.publisher, 60)}; the hub's own check passed.`];
    return {
      bundle: named(found.bundle),
      origin,
      pin: found.commit ? found.commit.commit : found.version,
      remarks: [...by, ...from],
    };
  }
  const found = await fetchFromLangChain(parts.langChain, request.spec, signal);
  if (found.kind === 'choose') return { kind: 'choose', of: 'spec', choices: found.specs };
  const remark = 'What the package does when it runs is up to its code: the hosts it talks to are not known.';
  return {
    bundle: named(found.bundle),
    origin: { kind: 'langchain', spec: found.spec },
    pin: found.pin,
    remarks: [remark],
  };
};

const previewOf = async (parts: ImporterParts, disk: InstalledSkills, fetched: Fetched): Promise<ImportPreview> => {
  const { name } = fetched.bundle;
  const hidden = parts.hides(name);
  const remarks = [
    ...fetched.remarks,
    ...(hidden ? [`A skill ${name} is there already (${hidden.kind}); this one would take its place.`] : []),
  ];
  const shown = previewBundle(fetched.bundle, {
    ...fetched,
    remarks,
    folder: disk.folderOf(name),
    ...(parts.holds && { holds: parts.holds }),
  });
  const locked = await disk.get(name);
  if (!locked) return shown;
  const before = permissionLines(await disk.permissionsOf(name));
  const after = permissionLines(shown.manifest.permissions);
  const { added, changed, removed } = locked.changes;
  return {
    ...shown,
    change: {
      pinBefore: locked.pin,
      files: compareFiles(locked.files, hashesOf(fetched.bundle.files)),
      asksMore: after.filter((line) => !before.includes(line)),
      asksLess: before.filter((line) => !after.includes(line)),
      changedByHand: [...added, ...changed, ...removed].sort(),
    },
  };
};
