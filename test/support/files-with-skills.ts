/** The SKILL.md of `greet`. */
export const GREET = `---
name: greet
description: Greet somebody in the way of this team. Use for greetings and salutations of people.
---
# Greet

Say hello to whoever is named, in one line, and report it.
`;

const COUNT = {
  '.agents/skills/count-lines/SKILL.md': `---
name: count-lines
description: Count the lines of a file in the folder docs. Use for line counts.
---
# Count lines

Run the script with {"path": "docs/a.md"}.
`,
  '.agents/skills/count-lines/manifest.json': JSON.stringify({
    permissions: { read: ['docs/**'] },
    entry: 'scripts/count.mjs',
    input: {
      type: 'object',
      properties: { path: { type: 'string' } },
      required: ['path'],
      additionalProperties: false,
    },
    output: { type: 'object', properties: { lines: { type: 'integer' } }, required: ['lines'] },
  }),
  '.agents/skills/count-lines/scripts/count.mjs': `import { readFileSync } from 'node:fs';
import { join } from 'node:path';
let input = '';
for await (const chunk of process.stdin) input += chunk;
const { path } = JSON.parse(input);
const text = readFileSync(join(process.env.COPPICE_ROOT, path), 'utf8');
process.stdout.write(JSON.stringify({ lines: text.split('\\n').length - 1 }));
`,
};

/** A repository with a skill of instructions, `greet`, and one with a script that may read `docs`, `count-lines`. */
export const FILES_WITH_SKILLS = {
  'docs/a.md': 'one\ntwo\nthree\n',
  'secret.txt': 'not for skills\n',
  '.agents/skills/greet/SKILL.md': GREET,
  ...COUNT,
};
