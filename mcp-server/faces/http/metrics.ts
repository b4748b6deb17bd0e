import type { Engine } from '../../engine/facade.ts';

type Labels = Readonly<Record<string, string>>;
interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** Requests by what became of them. */
export interface RequestCounts {
  count(route: string, status: number): void;
  samples(): readonly Sample[];
}

export const createRequestCounts = (): RequestCounts => {
  const counts = new Map<string, number>();
  return {
    count: (route, status) => {
      const key = `${route} ${status}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    samples: () =>
      [...counts].map(([key, value]) => {
        const [route = '', status = ''] = key.split(' ');
        return { labels: { route, status }, value };
      }),
  };
};

const one = (value: number, labels: Labels = {}): Sample => ({ labels, value });

const MOST_RUNS = 1000;

/** The engine's state in the text format of Prometheus. Runs are the newest thousand. */
export const metricsText = async (engine: Engine, version: string, requests: RequestCounts): Promise<string> => {
  const [queue, runs] = await Promise.all([engine.queue(), engine.listRuns(MOST_RUNS)]);
  const states = new Map<string, number>();
  for (const { state } of runs) states.set(state, (states.get(state) ?? 0) + 1);
  const sum = (of: (run: (typeof runs)[number]) => number): number => runs.reduce((n, run) => n + of(run), 0);
  return [
    metric('build_info', 'gauge', 'The version.', [one(1, { version })]),
    metric(
      'runs',
      'gauge',
      'Runs by state.',
      [...states].map(([state, n]) => one(n, { state })),
    ),
    metric('agents', 'gauge', 'Agents by what they do.', [
      one(
        sum(({ agents }) => agents.active),
        { state: 'active' },
      ),
      one(
        sum(({ agents }) => agents.completed),
        { state: 'completed' },
      ),
      one(
        sum(({ agents }) => agents.failed),
        { state: 'failed' },
      ),
    ]),
    metric('tokens', 'gauge', 'Tokens of runs.', [
      one(
        sum(({ tokens }) => tokens.granted),
        { kind: 'granted' },
      ),
      one(
        sum(({ tokens }) => tokens.reserved),
        { kind: 'reserved' },
      ),
      one(
        sum(({ tokens }) => tokens.used),
        { kind: 'used' },
      ),
    ]),
    ...queueMetrics(queue),
    metric('http_requests_total', 'counter', 'Answered requests.', requests.samples()),
  ].join('');
};

const queueMetrics = (queue: Awaited<ReturnType<Engine['queue']>>): readonly string[] => {
  const jobs = new Map<string, number>();
  for (const { state } of queue.jobs) if (state !== 'queued') jobs.set(state, (jobs.get(state) ?? 0) + 1);
  return [
    metric(
      'jobs_queued',
      'gauge',
      'Waiting jobs by priority.',
      Object.entries(queue.counts).map(([priority, n]) => one(n, { priority })),
    ),
    metric(
      'jobs',
      'gauge',
      'Jobs that run or are parked.',
      ['running', 'parked'].map((state) => one(jobs.get(state) ?? 0, { state })),
    ),
    metric(
      'server_up',
      'gauge',
      'Whether the inference server answers.',
      queue.servers.map(({ url, reachable }) => one(Number(reachable), { server: url })),
    ),
    metric(
      'server_slots',
      'gauge',
      'Slots of the inference server.',
      queue.servers.map(({ url, slots }) => one(slots.total, { server: url })),
    ),
    metric(
      'server_slots_busy',
      'gauge',
      'Busy slots.',
      queue.servers.map(({ url, slots }) => one(slots.busy, { server: url })),
    ),
  ];
};

const metric = (name: string, type: 'gauge' | 'counter', help: string, samples: readonly Sample[]): string =>
  `# HELP coppice_${name} ${help}\n# TYPE coppice_${name} ${type}\n${samples
    .map(({ labels, value }) => `coppice_${name}${labelsText(labels)} ${value}\n`)
    .join('')}`;

const labelsText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};
