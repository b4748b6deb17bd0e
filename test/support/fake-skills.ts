import { createHash } from 'node:crypto';
import type { Skills } from '../../mcp-server/faces/mcp/skill-source.ts';
import type { Skill, SkillChange, SkillManifest, SkillSummary } from '../../mcp-server/skills/port.ts';

/** A registry of a few skills in memory. */
export interface FakeSkills extends Skills {
  /** Adds a skill, or replaces the one of its name; tells listeners. */
  put(name: string, patch?: Partial<Skill>, files?: Readonly<Record<string, string | Uint8Array>>): void;
  remove(name: string): void;
  /** Tells listeners of a change; of the skills unless something else is said. */
  changed(change?: SkillChange): void;
}

const MANIFEST: SkillManifest = {
  tools: [],
  permissions: { read: [], write: [], commands: [], hosts: [] },
  entry: null,
  input: null,
  output: null,
  timeoutMs: 1000,
};

/** Makes one; without skills until they are put. */
export const createFakeSkills = (): FakeSkills => {
  const skills = new Map<string, Skill>();
  const contents = new Map<string, ReadonlyMap<string, Uint8Array>>();
  const listeners = new Set<(change: SkillChange) => void>();
  const changed = (change: SkillChange = 'skills'): void => {
    for (const listener of listeners) listener(change);
  };
  const list = (): readonly SkillSummary[] => [...skills.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    put: (name, patch = {}, files = {}) => {
      const description = patch.description ?? `What ${name} is good for.`;
      const body = patch.body ?? `# ${name}\n\nDo it step by step.\n`;
      const all = new Map<string, Uint8Array>(
        Object.entries({ 'SKILL.md': `---\nname: ${name}\ndescription: ${description}\n---\n${body}`, ...files }).map(
          ([path, content]) => [path, typeof content === 'string' ? Buffer.from(content) : content],
        ),
      );
      const hash = createHash('sha256');
      for (const [path, content] of all) hash.update(path).update(content);
      contents.set(name, all);
      skills.set(name, {
        name,
        description,
        tags: [],
        source: { kind: 'bundled' },
        state: 'bundled',
        kind: 'instructions',
        folder: `/skills/${name}`,
        file: `/skills/${name}/SKILL.md`,
        hash: hash.digest('hex'),
        tokens: 10,
        manifest: MANIFEST,
        hold: null,
        unconfined: false,
        pinned: false,
        uses: 0,
        body,
        frontmatter: { name, description },
        files: [...all.keys()].filter((path) => path !== 'SKILL.md'),
        ...patch,
      });
      changed();
    },
    remove: (name) => {
      skills.delete(name);
      changed();
    },
    changed,
    list,
    read: async (name) => skills.get(name),
    readFile: async (name, path) => contents.get(name)?.get(path),
    pinned: () => list().filter(({ pinned }) => pinned),
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
};

/** A manifest with parts of its own. */
export const fakeManifest = (patch: Partial<SkillManifest>): SkillManifest => ({ ...MANIFEST, ...patch });
