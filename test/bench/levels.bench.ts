import { makeRepository } from '../support/repository.ts';
import type { Used } from './child.ts';
import { median, type Row } from './part.ts';
import { inChild, startServer } from './processes.ts';

const LATENCY_MS = 100;
const WORKERS = 120;
const ROUNDS = 3;
/** As many as one GPU serves well, and as the other parts of the benchmark have. */
const SLOTS = [8, 32];

/** Tier after tier: workers with two calls each, then those who join five and five of their results. */
const idealMs = (slots: number): number => {
  const rounds = (calls: number): number => Math.ceil(calls / slots);
  return (rounds(WORKERS * 2) + rounds(24) + rounds(5) + 1) * LATENCY_MS;
};

const measureAt = async (slots: number): Promise<readonly Row[]> => {
  const server = await startServer({ slots });
  const repo = makeRepository();
  try {
    const used: (Used & { readonly agents: number; readonly levels: number })[] = [];
    const job = {
      url: server.url,
      root: repo.root,
      shape: { workers: WORKERS, latencyMs: LATENCY_MS },
      warmUp: { workers: 60, latencyMs: 1 },
    };
    for (let round = 0; round < ROUNDS; round += 1)
      used.push((await inChild('levels-child.ts', job)) as (typeof used)[0]);
    const wall = median(used.map(({ wallMs }) => wallMs));
    const ideal = idealMs(slots);
    const name = `${used[0]?.agents} agents, ${used[0]?.levels} levels, ${slots} slots`;
    return [
      { name: `${name}: wall`, unit: 'ms', value: wall, reference: ideal, against: 'no overhead at all' },
      { name: `${name}: over it`, unit: '%', value: (100 * (wall - ideal)) / ideal, aim: 'under 5' },
      { name: `${name}: memory`, unit: 'MB', value: median(used.map(({ peakMb }) => peakMb)), aim: 'under 200' },
    ];
  } finally {
    await server.stop();
    repo.remove();
  }
};

/** A deep hierarchy, from the person's word to the end of the run. */
export const benchLevels = async (): Promise<readonly Row[]> => {
  const rows: Row[] = [];
  for (const slots of SLOTS) rows.push(...(await measureAt(slots)));
  return rows;
};
