import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Workbench } from './workbench.ts';

const GREET: Readonly<Record<string, string>> = {
  'SKILL.md': '---\nname: greet\ndescription: Says hello to somebody by name.\n---\n\nRun the script.\n',
  'manifest.json': JSON.stringify({
    permissions: { read: ['names/**'], write: [], commands: [], hosts: [] },
    entry: 'scripts/main.mjs',
    input: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
  }),
  'scripts/main.mjs':
    "import { text } from 'node:stream/consumers';\n" +
    'const { name } = JSON.parse(await text(process.stdin));\n' +
    'console.log(JSON.stringify({ greeting: `Hello, ${name}!` }));\n',
};

/** Looks at the skills, trusts a new one after reading what it may do, and runs it. */
export const skillsPath = async (
  workbench: Workbench,
  folder: string,
  step: (done: string) => Promise<void>,
): Promise<void> => {
  const { page } = workbench;
  await workbench.showOnly('Skills');
  await workbench.row('Skills', 'code-review').waitFor();
  for (const [path, text] of Object.entries(GREET)) {
    const file = join(folder, '.agents/skills/greet', path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  await workbench.row('Skills', /greet.*needs review/).waitFor();
  await step('sees the skills by source, and a new one as soon as it is written');

  await workbench.hover(workbench.row('Skills', 'greet'));
  await workbench.row('Skills', 'greet').locator('[aria-label^="Run Skill"]').click();
  const dialog = page.locator('.monaco-dialog-box');
  await dialog.getByText('read names/**').waitFor();
  await step('reads what the skill may do before it runs');

  await dialog.getByRole('button', { name: 'Trust', exact: true }).click();
  await workbench.answer('Run greet', 'Ada');
  await workbench.editorText('Hello, Ada!').waitFor();
  await workbench.row('Skills', /greet.*trusted.*used 1×/).waitFor();
  await step('trusts it, runs it and reads its result');
};
