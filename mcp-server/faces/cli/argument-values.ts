import { UserError } from '../../domain/errors.ts';

/** What every command that works on a repository takes. */
export interface Common {
  readonly repo: string;
  readonly json: boolean;
  readonly settings: Readonly<Record<string, string | undefined>>;
}

/** Flags as they were given. */
export type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

export const asText = (value: Values[string]): string | undefined => (typeof value === 'string' ? value : undefined);

/** Throws UserError `bad-input` that names the flag. */
export const wholeNumber = (name: string, value: Values[string], fallback: number): number => {
  if (value === undefined) return fallback;
  if (typeof value === 'string' && /^\d+$/.test(value)) return Number(value);
  throw new UserError('bad-input', notANumber(name, String(value)));
};

/** What is said of a number that is none. */
export const notANumber = (name: string, value: string): string =>
  `${name} wants a whole number, 0 or above, not "${value}".`;
