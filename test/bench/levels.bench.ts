import { makeRepository } from '../support/repository.ts';
import type { Used } from './child.ts';
import { textsOf } from './coordination.bench.ts';
import { median, type Row } from './part.ts';
import { inChild, startServer } from './processes.ts';

const LATENCY_MS = 100;
const WORKERS = 120;
const ROUNDS = 3;
/** What llama-server has when it is not told, what one GPU serves well, and what the other parts of the benchmark have. */
const SLOTS = [4, 8, 32];

/** Tier after tier: workers with two calls each, then those who join five and five of their results. */
const idealMs = (slots: number): number => {
  const rounds = (calls: number): number => Math.ceil(calls / slots);
  return (rounds(WORKERS * 2) + rounds(24) + rounds(5) + 1) * LATENCY_MS;
};

interface Deep extends Used {
  readonly agents: number;
  readonly levels: number;
}

const measureAt = async (slots: number): Promise<readonly Row[]> => {
  const server = await startServer({ slots });
  const repo = makeRepository();
  try {
    const coppice: Deep[] = [];
    const bare: Used[] = [];
    const job = {
      url: server.url,
      root: repo.root,
      shape: { workers: WORKERS, latencyMs: LATENCY_MS },
      warmUp: { workers: 60, latencyMs: 1 },
    };
    // In turn, so that whatever else the machine does falls on both.
    for (let round = 0; round < ROUNDS; round += 1) {
      bare.push((await inChild('bare-child.ts', { ...job, slots, levels: true, texts: textsOf(WORKERS) })) as Used);
      coppice.push((await inChild('levels-child.ts', job)) as Deep);
    }
    return rowsOf(slots, coppice, bare);
  } finally {
    await server.stop();
    repo.remove();
  }
};

const rowsOf = (slots: number, coppice: readonly Deep[], bare: readonly Used[]): readonly Row[] => {
  const ideal = idealMs(slots);
  const [wall, bareWall] = [coppice, bare].map((used) => median(used.map(({ wallMs }) => wallMs))) as [number, number];
  const over = (ms: number): number => (100 * (ms - ideal)) / ideal;
  const name = `${coppice[0]?.agents} agents, ${coppice[0]?.levels} levels, ${slots} slots`;
  const against = 'bare openai client';
  return [
    { name: `${name}: wall`, unit: 'ms', value: wall, reference: bareWall, against },
    { name: `${name}: over the ideal`, unit: '%', value: over(wall), reference: over(bareWall), against },
    { name: `${name}: Coppice's own share`, unit: 'points', value: over(wall) - over(bareWall), aim: 'under 5' },
    {
      name: `${name}: memory`,
      unit: 'MB',
      value: median(coppice.map(({ peakMb }) => peakMb)),
      reference: median(bare.map(({ peakMb }) => peakMb)),
      against,
      aim: 'under 200',
    },
  ];
};

/** A deep hierarchy, from the person's word to the end of the run. */
export const benchLevels = async (): Promise<readonly Row[]> => {
  const rows: Row[] = [];
  for (const slots of SLOTS) rows.push(...(await measureAt(slots)));
  return rows;
};
