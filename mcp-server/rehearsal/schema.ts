import { invalidRequest, Refused } from './errors.ts';

type Schema = Readonly<Record<string, unknown>>;

const TYPES = new Set(['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']);

const isRecord = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const children = (schema: Schema): readonly (readonly [string, unknown])[] => [
  ...Object.entries(isRecord(schema['properties']) ? schema['properties'] : {}).map(
    ([name, child]) => [`/properties/${name}`, child] as const,
  ),
  ...(isRecord(schema['items']) ? [['/items', schema['items']] as const] : []),
];

/** Throws Refused, worded as the real server does, for a type that no grammar can be made of. */
export const checkSchema = (schema: Schema, place = '#'): void => {
  const types = Array.isArray(schema['type']) ? schema['type'] : [schema['type'] ?? 'object'];
  const wrong = types.find((type) => !TYPES.has(String(type)));
  if (wrong !== undefined)
    throw new Refused(
      invalidRequest(
        `Unable to generate parser for this template. Automatic parser generation failed: JSON schema error at ${place}: unrecognized type ${String(wrong)}`,
      ),
    );
  for (const [path, child] of children(schema)) if (isRecord(child)) checkSchema(child, place + path);
};

const sampleString = (schema: Schema): string => {
  const least = typeof schema['minLength'] === 'number' ? schema['minLength'] : 0;
  return 'rehearsal'.padEnd(least, '.').slice(0, typeof schema['maxLength'] === 'number' ? schema['maxLength'] : 1000);
};

const sampleObject = (schema: Schema): Record<string, unknown> => {
  const properties = isRecord(schema['properties']) ? schema['properties'] : {};
  const required = Array.isArray(schema['required']) ? schema['required'] : Object.keys(properties);
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([name]) => required.includes(name))
      .map(([name, child]) => [name, sampleOf(isRecord(child) ? child : {})]),
  );
};

const sampleArray = (schema: Schema): unknown[] => {
  const length = typeof schema['minItems'] === 'number' ? schema['minItems'] : 0;
  const item = isRecord(schema['items']) ? schema['items'] : {};
  return Array.from({ length }, () => sampleOf(item));
};

/** The plainest value that satisfies the schema: what a grammar without a thought behind it would give. */
export const sampleOf = (schema: Schema): unknown => {
  if ('const' in schema) return schema['const'];
  if (Array.isArray(schema['enum'])) return schema['enum'][0] as unknown;
  const choice: unknown = [schema['anyOf'], schema['oneOf']].find(Array.isArray)?.[0];
  if (isRecord(choice)) return sampleOf(choice);
  const type: unknown = Array.isArray(schema['type']) ? schema['type'][0] : (schema['type'] ?? 'object');
  if (type === 'object') return sampleObject(schema);
  if (type === 'array') return sampleArray(schema);
  if (type === 'string') return sampleString(schema);
  if (type === 'number' || type === 'integer') return typeof schema['minimum'] === 'number' ? schema['minimum'] : 0;
  return type === 'boolean' ? false : null;
};
