/** What a step that a processor needs came to. */
export interface ProcessorInput {
  readonly key: string;
  readonly title: string;
  readonly report: string;
  /** False: it failed; its report, if there is one, says how far it came. */
  readonly ok: boolean;
}

/** `report` of a failure says what is wrong, for a person. */
export interface Processed {
  readonly ok: boolean;
  readonly report: string;
}

export type ProcessorOptions = Readonly<Record<string, unknown>>;

/** A plain function over the reports of a step's needs, in their order. The person's own may throw; the built-in ones do not. */
export type Processor = (
  inputs: readonly ProcessorInput[],
  options: ProcessorOptions,
) => Processed | Promise<Processed>;

/** A processor that is built in: it never throws. */
export type BuiltIn = (inputs: readonly ProcessorInput[], options: ProcessorOptions) => Processed;

/** A processor's good end. */
export const done = (report: string): Processed => ({ ok: true, report });
/** Its failure, for a person. */
export const failed = (report: string): Processed => ({ ok: false, report });
/** What a person knows the step as. */
export const nameOf = (input: ProcessorInput): string => input.title || input.key;
/** All of them in one line. */
export const names = (inputs: readonly ProcessorInput[]): string => inputs.map(nameOf).join(', ');
/** Those that did not fail. */
export const good = (inputs: readonly ProcessorInput[]): readonly ProcessorInput[] => inputs.filter(({ ok }) => ok);

/** A sentence on those of whom nothing came; empty when there are none. */
export const missing = (inputs: readonly ProcessorInput[], why: string): string =>
  inputs.length === 0 ? '' : `${why}: ${names(inputs)}.`;

/** The texts that are not empty, with a line between them. */
export const paragraphs = (...texts: readonly string[]): string => texts.filter((text) => text !== '').join('\n\n');

/** What is told of inputs that gave nothing to read and of those that failed. */
export const absentees = (
  inputs: readonly ProcessorInput[],
  unread: readonly ProcessorInput[],
  what: string,
): readonly string[] =>
  [
    missing(unread, `No ${what} could be read from`),
    missing(
      inputs.filter(({ ok }) => !ok),
      'Failed, and so left out',
    ),
  ].filter(Boolean);

/** Neither a list nor null. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
