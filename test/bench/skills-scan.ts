import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import { openSkills } from '../../mcp-server/skills/registry.ts';
import { writeManySkills } from '../unit/skills/many-skills.ts';
import { median, quantile, rounded, timed } from './part.ts';

/** `node test/bench/skills-scan.ts 10000`: reads that many skills, reads them again, follows a change, searches. */
const count = Number(process.argv[2] ?? 10_000);
const folder = mkdtempSync(join(tmpdir(), 'coppice-skills-'));
const repository = join(folder, 'repository');
const say = (what: string, ms: number): void => console.log(`${what.padEnd(44)} ${rounded(ms)} ms`);
const measure = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
  const start = performance.now();
  const result = await work();
  say(what, performance.now() - start);
  return result;
};

try {
  const queries = writeManySkills(repository, count);
  const before = process.memoryUsage().rss;
  const registry = await measure(`read ${count} skills`, () =>
    openSkills({ repository, home: null, bundled: null, grants: join(folder, 'grants.json'), clock: systemClock }),
  );
  if (registry.list().length !== count) throw new Error(`${registry.list().length} skills were found.`);
  await measure('read them again, nothing changed', () => registry.reload());
  await measure('first search, which makes the index', () => registry.search('first', 3));
  const times: number[] = [];
  for (const query of queries) times.push(...(await timed(1, () => registry.search(query, 10))));
  say(`search, middle of ${queries.length}`, median(times));
  say('search, 99 of 100 are quicker', quantile(times, 0.99));
  say('search, slowest', Math.max(...times));
  const file = registry.list()[0]?.file ?? '';
  await measure('an edit, until the list tells of it', async () => {
    const heard = new Promise<void>((resolve) => void registry.onChange(() => resolve()));
    await appendFile(file, 'One line more.\n');
    await heard;
  });
  await measure('pin one', () => registry.pin(registry.list()[0]?.name ?? '', true));
  await measure('close', () => registry.close());
  console.log(`memory: ${Math.round((process.memoryUsage().rss - before) / 1024 / 1024)} MiB more`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
