/** One line of the table: what was measured, and the same measured on the reference in the same run. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly reference?: number;
  /** What the reference is, when the row has one. */
  readonly against?: string;
  /** What the project aims at, in words; nothing fails on it. */
  readonly aim?: string;
}

/** A part of the benchmark. It leaves no process and no folder behind. */
export interface Part {
  readonly title: string;
  run(): Promise<readonly Row[]>;
}

/** The middle value; of an even number the lower middle one. NaN of none. */
export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;

/** The value below which the share of all values lies, `share` from 0 to 1. */
export const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

/** Rounded to two digits after the point, or to whole numbers from a hundred on. */
export const rounded = (value: number): number =>
  Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 100) / 100;

/** Milliseconds that each of the rounds took. */
export const timed = async (rounds: number, work: (round: number) => unknown): Promise<number[]> => {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    await work(round);
    times.push(performance.now() - start);
  }
  return times;
};
