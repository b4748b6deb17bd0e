import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Processed, Processor } from '../planning/processors.ts';

/** What one run of a processor may take, ms. */
const MOST_MS = 30_000;
const MOST_MB = 256;
const MOST_REPORT = 200_000;

/** Text of the program that the worker runs: it loads the module and calls its function once. */
const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads');
import(workerData.url)
  .then((module) => {
    const run = module.default ?? module.process;
    if (typeof run !== 'function') throw new Error('It exports no function: neither default nor "process".');
    return run(workerData.inputs, workerData.options);
  })
  .then((value) => parentPort.postMessage({ value: typeof value === 'string' ? { ok: true, report: value } : value }))
  .catch((error) => parentPort.postMessage({ error: String(error?.message ?? error) }));
`;

/**
 * The person's own processors: `.coppice/processors/<name>.mjs`, whose default export takes the inputs and the options and
 * gives `{ ok, report }` or a text. Each runs in a thread of its own, without the engine's environment, within bounds of
 * time and memory. That keeps mistakes away, not malice: hand this over only for a workspace that is trusted.
 */
export const ownProcessors =
  (folder: string, limits: { readonly ms?: number } = {}) =>
  async (name: string): Promise<Processor | undefined> => {
    if (!/^[\w-]{1,64}$/.test(name)) return undefined;
    const file = join(folder, `${name}.mjs`);
    if (!existsSync(file)) return undefined;
    return (inputs, options) => runIn(pathToFileURL(file).href, { inputs, options }, limits.ms ?? MOST_MS);
  };

/** Rejects when it throws, takes too long, or needs too much memory. */
const runIn = async (url: string, data: object, ms: number): Promise<Processed> => {
  const worker = new Worker(PROGRAM, {
    eval: true,
    env: {},
    stdin: false,
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: MOST_MB },
    workerData: { url, ...data },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Processed>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`It took longer than ${ms} ms.`)), ms);
      worker.once('message', (said: { value?: unknown; error?: string }) => {
        if (said.error === undefined) resolve(bounded(said.value));
        else reject(new Error(said.error));
      });
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('It ended without a result.')));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
};

/** Whoever asked looks at the form of it. */
const bounded = (value: unknown): Processed => {
  const { ok, report } = (value ?? {}) as Partial<Processed>;
  return { ok: ok as boolean, report: typeof report === 'string' ? report.slice(0, MOST_REPORT) : (report as never) };
};
