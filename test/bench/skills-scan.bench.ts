import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import { openSkills } from '../../mcp-server/skills/registry.ts';
import { HARD_QUERIES, writeManySkills } from '../unit/skills/many-skills.ts';
import { median, quantile, type Row, timed } from './part.ts';

const COUNT = 10_000;
const HARD_ROUNDS = 10;

/** Reading and searching very many skills. */
export const benchSkillsScan = async (): Promise<readonly Row[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'coppice-bench-scan-'));
  try {
    const repository = join(folder, 'repository');
    const usual = writeManySkills(repository, COUNT);
    const options = { repository, home: null, bundled: null, grants: join(folder, 'grants.json'), clock: systemClock };
    const start = performance.now();
    const registry = await openSkills({ ...options, watch: false });
    const read = performance.now() - start;
    if (registry.list().length !== COUNT) throw new Error(`${registry.list().length} skills were found.`);
    const [again = 0] = await timed(1, () => registry.reload());
    const [first = 0] = await timed(1, () => registry.search('first', 3));
    const asked = [...usual, ...Array.from({ length: HARD_ROUNDS }, () => HARD_QUERIES).flat()];
    const times: number[] = [];
    for (const query of asked) times.push(...(await timed(1, () => registry.search(query, 10))));
    await registry.close();
    return [
      { name: `read ${COUNT} skills`, unit: 'ms', value: read, aim: 'under 5000' },
      { name: 'look again, nothing changed', unit: 'ms', value: again, reference: read, against: 'the first time' },
      { name: 'first search, which makes the index', unit: 'ms', value: first },
      { name: 'search, median', unit: 'ms', value: median(times), aim: 'under 10' },
      { name: 'search, 99 of 100 are quicker', unit: 'ms', value: quantile(times, 0.99), aim: 'under 10' },
      { name: `search, slowest of ${times.length} queries`, unit: 'ms', value: Math.max(...times), aim: 'under 10' },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
