/** One value that a skill asks for, as a person is asked for it. */
export interface Field {
  readonly name: string;
  readonly kind: 'text' | 'number' | 'integer' | 'boolean' | 'choice' | 'json';
  readonly description: string;
  readonly required: boolean;
  /** For a choice. */
  readonly choices: readonly (string | number | boolean)[];
  readonly byDefault: unknown;
}

type Schema = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isPlain = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

const KINDS: Readonly<Record<string, Field['kind']>> = {
  string: 'text',
  number: 'number',
  integer: 'integer',
  boolean: 'boolean',
};

/** The fields of an object's JSON schema, required ones first; undefined when it is no plain list of properties. */
export const fieldsOf = (schema: Schema): readonly Field[] | undefined => {
  const { properties } = schema;
  if (!isObject(properties) || ['oneOf', 'anyOf', 'allOf', '$ref'].some((key) => key in schema)) return undefined;
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const fields = Object.entries(properties).map(([name, property]) => fieldOf(name, property, required.includes(name)));
  return [...fields.filter((field) => field.required), ...fields.filter((field) => !field.required)];
};

const fieldOf = (name: string, property: unknown, required: boolean): Field => {
  const schema = isObject(property) ? property : {};
  const choices = Array.isArray(schema['enum']) && schema['enum'].every(isPlain) ? schema['enum'] : [];
  const description = typeof schema['description'] === 'string' ? schema['description'] : '';
  const type = typeof schema['type'] === 'string' ? schema['type'] : '';
  const kind = choices.length > 0 ? 'choice' : (KINDS[type] ?? 'json');
  return { name, kind, description, required, choices, byDefault: schema['default'] };
};

/** What a person wrote, as the field's value; `problem` is said while they type. Absent: left out. */
export type Entered = { readonly value: unknown } | { readonly problem: string } | { readonly absent: true };

/** Reads the text of an input box for a field. */
export const enteredValue = (field: Pick<Field, 'kind' | 'required' | 'name'>, text: string): Entered => {
  if (text.trim() === '' && !field.required) return { absent: true };
  if (field.kind === 'text') return text === '' ? { problem: `${field.name} is needed.` } : { value: text };
  if (field.kind === 'number' || field.kind === 'integer') return numberOf(field.kind, text);
  return jsonOf(text);
};

const numberOf = (kind: 'number' | 'integer', text: string): Entered => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) return { problem: 'A number, such as 42.' };
  return kind === 'integer' && !Number.isInteger(value) ? { problem: 'A whole number, such as 42.' } : { value };
};

const jsonOf = (text: string): Entered => {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { problem: 'A JSON value, such as ["a", "b"] or {"a": 1}.' };
  }
};

/** What an input box begins with. */
export const initialText = ({ kind, byDefault }: Pick<Field, 'kind' | 'byDefault'>): string => {
  if (byDefault === undefined) return '';
  return kind === 'text' && typeof byDefault === 'string' ? byDefault : JSON.stringify(byDefault);
};
