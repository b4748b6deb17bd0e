import { z } from 'zod';
import { UserError } from '../../domain/errors.ts';
import { withoutPatterns } from '../../domain/json-schema.ts';
import { oneLine } from '../../domain/text.ts';

/** A JSON schema of a manifest that cannot be read as one checks nothing. */
const schemaOf = (schema: Readonly<Record<string, unknown>>): z.ZodType | null => {
  try {
    return z.fromJSONSchema(withoutPatterns(schema));
  } catch {
    return null;
  }
};

/** What is wrong with a value, in words; null: nothing, or there is no schema that could tell. */
const faultOf = (schema: Readonly<Record<string, unknown>> | null, value: unknown): string | null => {
  const parsed = schema && schemaOf(schema)?.safeParse(value);
  if (!parsed || parsed.success) return null;
  return parsed.error.issues
    .slice(0, 3)
    .map(({ path, message }) => oneLine(`${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`, 200))
    .join('; ');
};

/** Throws UserError `bad-input` unless the input is what the skill's manifest says. */
export const checkInput = (schema: Readonly<Record<string, unknown>> | null, input: unknown): void => {
  const fault = faultOf(schema, input);
  if (fault !== null) throw new UserError('bad-input', `The input of the skill is wrong: ${fault}.`);
};

/** What is wrong with what a script returned, in words; null: nothing. */
export const checkOutput = (schema: Readonly<Record<string, unknown>> | null, output: unknown): string | null => {
  const fault = faultOf(schema, output);
  return fault === null ? null : `The script returned something else than its manifest says: ${fault}.`;
};
