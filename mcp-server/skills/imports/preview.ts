import { UserError } from '../../domain/errors.ts';
import { oneLine } from '../../domain/text.ts';
import { contentHash } from '../content-hash.ts';
import { holdOf, NO_HOLDS, type ScriptHolds } from '../execute/hold.ts';
import { NO_MANIFEST, parseManifest } from '../manifest.ts';
import { askLines, heldLine } from '../may-lines.ts';
import { parseSkill } from '../parse-skill.ts';
import type { SkillDiagnostic, SkillHold, SkillManifest } from '../port.ts';
import { type FileDifference, type SkillBundle, size } from './bundle.ts';
import type { ImportOrigin } from './lock-file.ts';

/** A file as people see it before an import. */
export interface PreviewFile {
  readonly path: string;
  readonly bytes: number;
  /** It can be run: by its ending, its mode or its first line. */
  readonly script: boolean;
}

/** How an update differs from what is there. */
export interface ImportChange {
  readonly pinBefore: string;
  readonly files: FileDifference;
  /** Permissions, in words, that it asks for and the present content does not, and the other way round. */
  readonly asksMore: readonly string[];
  readonly asksLess: readonly string[];
  /** Files that somebody changed since the import; an update would replace them. */
  readonly changedByHand: readonly string[];
}

/** What an import would bring. Nothing has been written yet. */
export interface ImportPreview {
  readonly name: string;
  readonly origin: ImportOrigin;
  /** Commit, version or `package@version`. */
  readonly pin: string;
  /** Of the content; an install names it, so that nothing else is installed than what was looked at. */
  readonly hash: string;
  readonly description: string;
  readonly license: string | null;
  readonly kind: 'instructions' | 'script';
  readonly files: readonly PreviewFile[];
  /** Links, submodules and settings of other programs, which are not imported. */
  readonly leftOut: readonly string[];
  readonly manifest: SkillManifest;
  /** What would hold its script on this machine; null: it has none. */
  readonly hold: SkillHold | null;
  /** One with severity `error`: it could be installed, but not used. */
  readonly diagnostics: readonly SkillDiagnostic[];
  /** Whole sentences for the person. */
  readonly remarks: readonly string[];
  /** Null: it is not installed yet. */
  readonly change: ImportChange | null;
}

/** Says of a bundle what it holds and asks for. Throws UserError `bad-input` when there is no SKILL.md in it. */
export const previewBundle = (
  bundle: SkillBundle,
  about: {
    readonly origin: ImportOrigin;
    readonly pin: string;
    readonly folder: string;
    readonly remarks: readonly string[];
    /** What this machine can hold scripts with. Absent: nothing. */
    readonly holds?: ScriptHolds;
  },
): ImportPreview => {
  const bytesOf = (path: string): Uint8Array | undefined => bundle.files.find((file) => file.path === path)?.bytes;
  const main =
    bundle.files.find(({ path }) => path === 'SKILL.md') ?? bundle.files.find(({ path }) => /^skill\.md$/i.test(path));
  if (!main) throw new UserError('bad-input', 'Not imported: there is no SKILL.md in it.');
  const parsed = parseSkill(main.bytes, `${about.folder}/${main.path}`);
  const paths = bundle.files.map(({ path }) => path);
  const file = bytesOf('manifest.json');
  const read = file
    ? parseManifest(file, `${about.folder}/manifest.json`, paths)
    : { manifest: NO_MANIFEST, diagnostics: [] };
  return {
    name: bundle.name,
    origin: about.origin,
    pin: about.pin,
    hash: contentHash(bundle.files),
    description: parsed.description,
    license: licenseOf(parsed.frontmatter, paths),
    kind: read.manifest.entry === null ? 'instructions' : 'script',
    files: bundle.files.map((one) => ({ path: one.path, bytes: one.bytes.length, script: isScript(one) })),
    leftOut: bundle.leftOut,
    manifest: read.manifest,
    hold: holdOf(read.manifest, about.holds ?? NO_HOLDS),
    diagnostics: [...parsed.diagnostics, ...read.diagnostics],
    remarks: [...about.remarks, ...needsOf(parsed.frontmatter)],
    change: null,
  };
};

const SCRIPT = /\.(m?js|cjs|[mc]?ts|py|sh|bash|zsh|rb|pl|php|ps1|bat|cmd|exe)$/i;

const isScript = (file: SkillBundle['files'][number]): boolean =>
  SCRIPT.test(file.path) || file.executable || (file.bytes[0] === 0x23 && file.bytes[1] === 0x21);

const licenseOf = (frontmatter: Readonly<Record<string, unknown>>, paths: readonly string[]): string | null => {
  const said = frontmatter['license'];
  if (typeof said === 'string' && said.trim() !== '') return oneLine(said, 100);
  const file = paths.find((path) => /^(licen[cs]e|copying)(\.|$)/i.test(path));
  return file === undefined ? null : `see ${file}`;
};

/** Programs and variables that skills of other hosts declare below `metadata`. */
const needsOf = (frontmatter: Readonly<Record<string, unknown>>): readonly string[] => {
  const metadata = frontmatter['metadata'];
  const found = typeof metadata === 'object' && metadata !== null ? Object.values(metadata) : [];
  const list = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((one) => typeof one === 'string').map((one) => oneLine(one, 60)) : [];
  return found.slice(0, 10).flatMap((one: unknown) => {
    const { requires } = (typeof one === 'object' && one !== null ? one : {}) as { readonly requires?: unknown };
    const { bins, env } = (typeof requires === 'object' && requires !== null ? requires : {}) as Record<
      string,
      unknown
    >;
    return [
      ...(list(bins).length > 0 ? [`Its author says that it needs the programs ${list(bins).join(', ')}.`] : []),
      ...(list(env).length > 0
        ? [`Its author says that it needs the variables ${list(env).join(', ')}; scripts do not see yours.`]
        : []),
    ];
  });
};

/** The preview as plain text, for a terminal or a document. */
export const previewText = (preview: ImportPreview): string => {
  const scripts = preview.files.filter(({ script }) => script);
  const asks = askLines(preview);
  const held = heldLine(preview.hold);
  const total = preview.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${oneLine(line, 300)}`)];
  return [
    `${preview.name}: ${preview.description || '(no description)'}`,
    `From ${originText(preview.origin)}, at ${preview.pin}`,
    `Licence: ${preview.license ?? 'not stated'}`,
    ...section(
      `Files (${preview.files.length}, ${size(total)}):`,
      preview.files.map(({ path, bytes, script }) => `${path}  ${size(bytes)}${script ? '  script' : ''}`),
    ),
    ...section('Left out:', preview.leftOut),
    preview.kind === 'script'
      ? `It runs a script: ${preview.manifest.entry ?? ''}`
      : scripts.length > 0
        ? 'It is instructions; they may ask an agent to run its scripts.'
        : 'It is instructions only.',
    ...section('It asks to:', asks),
    ...(asks.length === 0 ? ['It asks for no permissions.'] : []),
    ...(held === null ? [] : [held]),
    ...section('It needs the tools:', preview.manifest.tools),
    ...section('Remarks:', preview.remarks),
    ...section(
      'Problems:',
      preview.diagnostics.map(({ severity, line, message }) => `${severity}, line ${line + 1}: ${message}`),
    ),
    ...(preview.change ? changeLines(preview.change) : []),
    'Once installed, only its instructions can be read until you trust this content; any change asks you again.',
  ].join('\n');
};

const changeLines = (change: ImportChange): readonly string[] => [
  `Now installed: ${change.pinBefore}`,
  ...change.files.added.map((path) => `  + ${path}`),
  ...change.files.changed.map((path) => `  ~ ${path}`),
  ...change.files.removed.map((path) => `  - ${path}`),
  ...change.asksMore.map((line) => `  now also asks to ${line}`),
  ...change.asksLess.map((line) => `  no longer asks to ${line}`),
  ...change.changedByHand.map((path) => `  changed by hand, would be replaced: ${path}`),
];

/** Where a skill comes from, in words. */
export const originText = (origin: ImportOrigin): string => {
  if (origin.kind === 'git')
    return `${origin.url}${origin.path === '' ? '' : `, folder ${origin.path}`}${origin.ref === null ? '' : `, ${origin.ref}`}`;
  if (origin.kind === 'clawhub') return `ClawHub, ${origin.slug}`;
  return `the package ${origin.spec}`;
};
