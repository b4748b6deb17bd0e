import type { SkillDiagnostic } from './port.ts';
import type { TextSpan } from './text-span.ts';

/** Stable: quick fixes, tests and the documents go by these words. */
export type SkillCode =
  // The file as a whole.
  | 'unreadable'
  | 'too-large'
  | 'not-text'
  | 'encoding'
  | 'hidden-characters'
  | 'empty'
  | 'bom'
  | 'crlf'
  | 'file-name'
  | 'folder-name'
  // The front matter.
  | 'frontmatter-missing'
  | 'frontmatter-unterminated'
  | 'frontmatter-late'
  | 'frontmatter-not-a-map'
  | 'frontmatter-too-large'
  | 'yaml-invalid'
  | 'unquoted-value'
  | 'duplicate-key'
  // Its fields.
  | 'name-missing'
  | 'name-invalid'
  | 'name-mismatch'
  | 'description-missing'
  | 'description-too-long'
  | 'not-a-string'
  | 'array-for-string'
  | 'field-too-long'
  | 'metadata-not-strings'
  | 'unknown-key'
  // The body.
  | 'body-empty'
  | 'body-long'
  // The folder.
  | 'folder-too-large'
  | 'link-skipped'
  | 'link-inside'
  | 'misplaced'
  | 'shadowed'
  | 'too-many'
  // manifest.json
  | 'manifest-invalid'
  | 'manifest-type'
  | 'manifest-value'
  | 'manifest-unknown-key'
  | 'manifest-entry'
  | 'manifest-hosts'
  // Around the skills.
  | 'root-outside'
  | 'watch-limited'
  | 'grants-corrupt'
  | 'grants-unreadable';

/** Takes a finding about one file; `at` is a part of it, or the zero-based number of a line that is meant as a whole. */
export type Report = (
  severity: SkillDiagnostic['severity'],
  code: SkillCode,
  at: number | TextSpan,
  message: string,
) => void;

const MOST_OF_ONE_FILE = 50;

/** Collects findings about one file, of each only the first fifty. */
export const collectInto =
  (file: string, found: SkillDiagnostic[]): Report =>
  (severity, code, at, message) => {
    const place = typeof at === 'number' ? { line: at } : at;
    if (severity === 'error' || found.length < MOST_OF_ONE_FILE)
      found.push({ file, ...place, severity, code, message });
  };
