import type { Editor } from '../editor.ts';
import type { SkillsTree } from '../views/skills.ts';
import type { SkillPages } from './pages.ts';
import type { SkillList } from './skill-list.ts';

/** What the commands on skills share; made once, in `registerSkills`. */
export interface SkillDesk {
  readonly editor: Editor;
  readonly list: SkillList;
  readonly pages: SkillPages;
  readonly tree: SkillsTree;
}
