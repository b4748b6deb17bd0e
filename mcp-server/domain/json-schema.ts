/** A JSON schema, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Schemas of a property's name lie below these: what is called `pattern` there is a property. */
const NAMED: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions', 'dependentSchemas']);

/**
 * The schema without regular expressions. One that somebody else wrote can take the engine's thread for as long as it
 * likes (`^(a+)+$`), and JavaScript cannot stop it; whoever gets the value checks it again.
 */
export const withoutPatterns = (schema: JsonSchema): JsonSchema => strip(schema, false) as JsonSchema;

const strip = (value: unknown, named: boolean): unknown => {
  if (Array.isArray(value)) return value.map((one) => strip(one, false));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([key, inner]) => named || !(key === 'patternProperties' || (key === 'pattern' && typeof inner === 'string')),
      )
      .map(([key, inner]) => [key, strip(inner, !named && NAMED.has(key))]),
  );
};
