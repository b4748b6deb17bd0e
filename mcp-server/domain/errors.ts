/** What can be wrong with the person's input or world. Faces map each code to an exit status or an error result. */
export type UserErrorCode =
  | 'bad-input'
  | 'not-found'
  | 'wrong-state'
  | 'not-a-repository'
  | 'unsupported-repository'
  | 'dirty-overlap'
  | 'merge-conflict'
  | 'model-unreachable'
  | 'model-refused'
  | 'budget-too-small'
  | 'permission-denied'
  | 'engine-busy'
  | 'engine-gone'
  | 'database-newer'
  | 'database-corrupt'
  | 'inbox-full';

/** An error for the person: its message says what is wrong and what to do. Anything else that is thrown is a bug. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly code: UserErrorCode;
  constructor(code: UserErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Another engine has taken over; whoever gets this must stop at once and change nothing more. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

const DENIED: readonly unknown[] = ['EACCES', 'EPERM', 'EROFS'];

/** The file system refused to let this user write or read. */
export const isDenied = (error: unknown): error is Error & { readonly path?: string } =>
  error instanceof Error && DENIED.includes((error as { code?: unknown }).code);

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** For the log of what should not have happened. */
export const traceOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
