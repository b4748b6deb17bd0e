import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ParsedSkill, parseSkill } from '../../../mcp-server/skills/parse-skill.ts';

/** The folder of the skills that come with the program. */
export const bundledRoot = fileURLToPath(new URL('../../../skills/', import.meta.url));

export const bundledNames: readonly string[] = readdirSync(bundledRoot, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort((a, b) => a.localeCompare(b));

/** A bundled skill as the registry's parser reads it. */
export const parseBundled = (name: string): ParsedSkill => {
  const file = join(bundledRoot, name, 'SKILL.md');
  return parseSkill(readFileSync(file), file);
};
