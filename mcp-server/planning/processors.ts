import { messageOf } from '../domain/errors.ts';
import { jsonMerge } from './processors/json-merge.ts';
import { concat, count, first } from './processors/plain.ts';
import {
  type BuiltIn,
  failed,
  isRecord,
  type Processed,
  type Processor,
  type ProcessorInput,
  type ProcessorOptions,
} from './processors/processor.ts';
import { vote } from './processors/vote.ts';
import { weightedAverage } from './processors/weighted-average.ts';

export type { Processed, Processor, ProcessorInput, ProcessorOptions } from './processors/processor.ts';

const BUILT_IN: ReadonlyMap<string, BuiltIn> = new Map(
  Object.entries({
    concat,
    vote,
    'weighted-average': weightedAverage,
    first,
    count,
    'json-merge': jsonMerge,
  }),
);

/** Names of the processors that are built in. */
export const BUILT_IN_PROCESSORS: readonly string[] = [...BUILT_IN.keys()];

/** The processor of that name; the person's own goes before one that is built in. Undefined: there is none. */
export const processorOf = (name: string, own: ReadonlyMap<string, Processor> = new Map()): Processor | undefined =>
  own.get(name) ?? BUILT_IN.get(name);

const isProcessed = (value: unknown): value is Processed =>
  isRecord(value) && typeof value['ok'] === 'boolean' && typeof value['report'] === 'string';

/** Carries a processor out. No such processor, one that throws, and one that gives something else are failures, not exceptions. */
export const runProcessor = async (
  name: string,
  inputs: readonly ProcessorInput[],
  options: ProcessorOptions,
  own: ReadonlyMap<string, Processor> = new Map(),
): Promise<Processed> => {
  const processor = processorOf(name, own);
  const known = [...new Set([...BUILT_IN_PROCESSORS, ...own.keys()])];
  if (!processor) return failed(`There is no processor "${name}". There are: ${known.join(', ')}.`);
  try {
    const processed: unknown = await processor(inputs, options);
    return isProcessed(processed)
      ? { ok: processed.ok, report: processed.report }
      : failed(`The processor "${name}" gave no { ok, report }.`);
  } catch (error) {
    return failed(`The processor "${name}" failed: ${messageOf(error)}`);
  }
};
