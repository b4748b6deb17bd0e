/** What both candidates carry out: a planning call, workers with two calls each, and the tiers that join their work. */
export interface Shape {
  readonly workers: number;
  readonly latencyMs: number;
}

/** Calls at once, in the server as in the clients. */
export const SLOTS = 32;
/** Workers that one synthesizer joins. */
export const FAN_IN = 5;
/** The file that each worker reads. */
export const PATH = 'src/add.ts';

/** The task tells the scripted server which shape is meant. */
export const taskOf = ({ workers, latencyMs }: Shape): string =>
  `Rewrite all ${workers} parts (latency ${latencyMs} ms).`;

/** Undefined for a text that no task is in. */
export const shapeIn = (text: string): Shape | undefined => {
  const [, workers, latency] = /Rewrite all (\d+) parts \(latency (\d+) ms\)/.exec(text) ?? [];
  return workers === undefined ? undefined : { workers: Number(workers), latencyMs: Number(latency) };
};

/** The planner's answer: one step for each worker. */
export const planText = (workers: number): string => {
  const steps = Array.from({ length: workers }, (_, index) => ({
    key: `part-${index + 1}`,
    title: `part ${index + 1}`,
    task: `Read ${PATH}, part ${index + 1}`,
    role: 'worker',
    needs: [],
  }));
  return JSON.stringify({ steps });
};

/** Workers, their synthesizers and the executive. */
export const agentsIn = ({ workers }: Shape): number => workers + Math.floor(workers / FAN_IN) + 1;

/** Wall time with no overhead at all: tier after tier, each in as many rounds as the slots make of its calls. */
export const idealMs = ({ workers, latencyMs }: Shape): number => {
  const rounds = (calls: number): number => Math.ceil(calls / SLOTS);
  return (1 + rounds(workers * 2) + rounds(Math.floor(workers / FAN_IN)) + 1) * latencyMs;
};
