import { benchCoordination } from './coordination.bench.ts';
import { benchLevels } from './levels.bench.ts';
import { type Part, type Row, rounded } from './part.ts';
import { benchPlan } from './plan.bench.ts';
import { benchRecovery } from './recovery.bench.ts';
import { benchSkills } from './skills.bench.ts';
import { benchSkillsScan } from './skills-scan.bench.ts';
import { benchPrompts, benchStatus } from './status.bench.ts';
import { benchWorktree } from './worktree.bench.ts';

/** Prints what is measured; `-- NAME…` keeps only the parts that are named, `--json` prints one JSON document. */
const parts: Readonly<Record<string, Part>> = {
  coordination: {
    title:
      'Coordination of a whole run, 100 ms latency, 32 slots, a connection a call as with llama-server, both sides warmed up by 200 workers (60 before 500)',
    run: benchCoordination,
  },
  levels: { title: 'A hierarchy of four levels, 100 ms latency', run: benchLevels },
  plan: { title: 'Planning, without the time of the model', run: benchPlan },
  recovery: { title: 'Recovery', run: benchRecovery },
  status: { title: 'Answers while many agents are under way', run: benchStatus },
  prompts: { title: 'Prompts', run: benchPrompts },
  skills: { title: 'Skills in prompts', run: benchSkills },
  'skills-scan': { title: 'Reading and searching ten thousand skills', run: benchSkillsScan },
  worktree: {
    title: 'Worktrees',
    run: async () => (await benchWorktree()).map((one) => ({ ...one, against: 'git alone' })),
  },
};

const words = process.argv.slice(2);
const json = words.includes('--json');
const wanted = words.filter((word) => !word.startsWith('--'));
const unknown = wanted.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`Unknown part ${unknown.join(', ')}. Parts: ${Object.keys(parts).join(', ')}.`);
  process.exit(2);
}

/** How the value stands to its reference. */
const ratio = ({ value, reference }: Row): number | undefined =>
  reference === undefined || reference === 0 ? undefined : rounded(value / reference);

const line = (cells: readonly string[]): string => {
  const [name = '', value = '', reference = '', against = '', aim = ''] = cells;
  return `  ${name.padEnd(46)} ${value.padStart(14)} ${reference.padStart(14)} ${against.padStart(8)}  ${aim}`.trimEnd();
};

const print = (title: string, rows: readonly Row[]): void => {
  const against = rows.find((row) => row.against)?.against;
  console.log(`\n${title}${against ? `; reference: ${against}` : ''}`);
  console.log(line(['', 'Coppice', 'reference', 'ratio', 'aim']));
  for (const row of rows) {
    const value = `${rounded(row.value)} ${row.unit}`;
    const reference = row.reference === undefined ? '' : `${rounded(row.reference)} ${row.unit}`;
    const times = ratio(row);
    console.log(line([row.name, value, reference, times === undefined ? '' : `${times}×`, row.aim ?? '']));
  }
};

const results: object[] = [];
for (const [name, part] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const start = performance.now();
  const rows = await part.run();
  if (!json) print(part.title, rows);
  const seconds = rounded((performance.now() - start) / 1000);
  results.push({ name, title: part.title, seconds, rows: rows.map((row) => ({ ...row, ratio: ratio(row) })) });
}
if (json) console.log(JSON.stringify({ node: process.version, platform: process.platform, parts: results }, null, 2));
