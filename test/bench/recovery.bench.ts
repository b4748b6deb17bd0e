import { makeRepository } from '../support/repository.ts';
import { median, type Row } from './part.ts';
import { inChild, startServer } from './processes.ts';
import { agentsIn } from './shape.ts';

const WORKERS = 166;
const ROUNDS = 5;

interface Recovered {
  readonly openedMs: number;
  readonly wholeMs: number;
}

/** How long an engine takes to go on where a killed one was, in the middle of a run. */
export const benchRecovery = async (): Promise<readonly Row[]> => {
  const repo = makeRepository();
  const server = await startServer();
  const recovered: Recovered[] = [];
  try {
    const job = { url: server.url, root: repo.root, workers: WORKERS };
    for (let round = 0; round < ROUNDS; round += 1) {
      await inChild('crash-child.ts', job);
      recovered.push((await inChild('recovery-child.ts', job)) as Recovered);
    }
  } finally {
    await server.stop();
    repo.remove();
  }
  const agents = agentsIn({ workers: WORKERS, latencyMs: 0 });
  const value = (pick: (one: Recovered) => number): number => median(recovered.map(pick));
  return [
    {
      name: `killed with ${agents} agents: to the first claim`,
      unit: 'ms',
      value: value(({ wholeMs, openedMs }) => wholeMs - openedMs),
      aim: 'under 1000',
    },
    { name: 'the same, with opening the repository', unit: 'ms', value: value(({ wholeMs }) => wholeMs) },
  ];
};
