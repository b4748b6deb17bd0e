import type { ImportedSkill } from '../skills/imports/installed-skills.ts';
import { originText } from '../skills/imports/preview.ts';
import { heldLine, mayLines } from '../skills/may-lines.ts';
import type { SkillSummary } from '../skills/port.ts';
import type { ImportedView, SkillView } from './skills-facade.ts';

/** A skill as faces show it. */
export const skillView = (skill: SkillSummary): SkillView => {
  const { name, description, tags, source, state, kind, folder, file, hash, tokens, pinned, uses, manifest } = skill;
  return {
    name,
    description,
    tags,
    source: source.kind,
    root: 'root' in source ? source.root : null,
    state,
    kind,
    folder,
    file,
    hash,
    tokens,
    pinned,
    uses,
    permissions: manifest.permissions,
    tools: manifest.tools,
    may: mayLines(skill),
    hold: skill.hold,
    held: heldLine(skill.hold),
  };
};

/** An imported skill as faces show it. */
export const importedView = ({ name, origin, pin, state, importedAt }: ImportedSkill): ImportedView => ({
  name,
  from: originText(origin),
  kind: origin.kind,
  pin,
  state,
  importedAt,
});
