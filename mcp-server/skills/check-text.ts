import { basename } from 'node:path';
import { parseManifest } from './manifest.ts';
import { parseSkill } from './parse-skill.ts';
import type { SkillDiagnostic } from './port.ts';
import { isSkillFile } from './read-folder.ts';

/** Findings that come from the bytes of a file or from what lies around it: a text alone does not show them. */
const NOT_IN_TEXT: ReadonlySet<string> = new Set([
  'unreadable',
  'encoding',
  'bom',
  'folder-too-large',
  'link-skipped',
  'link-inside',
  'misplaced',
  'shadowed',
]);

/**
 * What is wrong with a file if its text were `text`. `onDisk`: what is wrong with it as it is saved, of which that is kept
 * which the text cannot show. `files`: those of the skill, relative; null: not known, so nothing is said about its entry.
 * Pure.
 */
export const checkText = (
  file: string,
  text: string,
  onDisk: readonly SkillDiagnostic[],
  files: readonly string[] | null,
): readonly SkillDiagnostic[] => {
  const kept = onDisk.filter(({ code }) => NOT_IN_TEXT.has(code));
  const name = basename(file);
  if (isSkillFile(name)) return [...kept, ...parseSkill(text, file).diagnostics];
  if (name !== 'manifest.json') return onDisk;
  const { diagnostics } = parseManifest(text, file, files ?? []);
  return [...kept, ...diagnostics.filter(({ code }) => files !== null || code !== 'manifest-entry')];
};
