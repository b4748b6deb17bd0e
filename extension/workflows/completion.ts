/** The parts of a JSON schema that completion looks at. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

/** What can be put in at a place of a YAML text. */
export interface Suggestion {
  readonly label: string;
  readonly insert: string;
  readonly description: string;
  readonly isKey: boolean;
}

/** Keys that may stand on the line of `position` and are not there yet; after a key and a colon, its possible values. */
export const suggestions = (
  root: JsonSchema,
  text: string,
  position: { readonly line: number; readonly character: number },
): readonly Suggestion[] => {
  const lines = text.split('\n');
  const before = (lines[position.line] ?? '').slice(0, position.character);
  if (before.trimStart().startsWith('#')) return [];
  const path = keysAbove(lines, position.line, indentOf(before));
  const value = /^\s*(?:- )?([\w-]+):\s+\S*$/.exec(before);
  const here = path.reduce<readonly JsonSchema[]>((schemas, key) => below(root, schemas, key), resolved(root, [root]));
  if (value) return valuesOf(below(root, here, value[1] ?? ''));
  if (!/^\s*(?:- )?[\w-]*$/.test(before)) return [];
  const taken = siblings(lines, position.line, indentOf(before));
  return keysOf(root, here).filter(({ label }) => !taken.has(label));
};

/** Columns before the key; a dash of a list counts as a part of the indent. */
const indentOf = (line: string): number => (/^\s*(?:- )?/.exec(line)?.[0] ?? '').length;
const keyOf = (line: string): string | undefined => /^\s*(?:- )?([\w-]+):/.exec(line)?.[1];

/** The keys that the line is below of, the outermost first; lists stand for themselves as `[]`. */
const keysAbove = (lines: readonly string[], line: number, indent: number): readonly string[] => {
  const path: string[] = [];
  let wanted = indent;
  let isInList = /^\s*- /.test(lines[line] ?? '');
  for (let at = line - 1; at >= 0 && wanted > 0; at -= 1) {
    const text = lines[at] ?? '';
    const key = keyOf(text);
    if (text.trim() === '' || text.trimStart().startsWith('#')) continue;
    const own = indentOf(text);
    if (own === wanted && /^\s*- /.test(text)) isInList = true;
    if (own >= wanted || key === undefined) continue;
    path.unshift(...(isInList ? [key, '[]'] : [key]));
    isInList = /^\s*- /.test(text);
    wanted = own;
  }
  return path;
};

/** Keys that stand beside the line already. */
const siblings = (lines: readonly string[], line: number, indent: number): ReadonlySet<string> => {
  const found = new Set<string>();
  for (const step of [-1, 1]) {
    for (let at = line + step; at >= 0 && at < lines.length; at += step) {
      const text = lines[at] ?? '';
      if (text.trim() === '') continue;
      if (indentOf(text) < indent) break;
      const key = indentOf(text) === indent ? keyOf(text) : undefined;
      if (key !== undefined) found.add(key);
      const startsItem = /^\s*- /.test(text) && indentOf(text) === indent;
      if (startsItem) break;
    }
  }
  return found;
};

/** References followed and unions opened: all forms that are possible. */
const resolved = (root: JsonSchema, schemas: readonly JsonSchema[]): readonly JsonSchema[] =>
  schemas.flatMap((schema): readonly JsonSchema[] => {
    const target = schema.$ref === undefined ? undefined : root.$defs?.[schema.$ref.replace('#/$defs/', '')];
    if (target) return resolved(root, [target]);
    const forms = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
    return forms.length > 0 ? resolved(root, forms) : [schema];
  });

const below = (root: JsonSchema, schemas: readonly JsonSchema[], key: string): readonly JsonSchema[] =>
  resolved(
    root,
    schemas.flatMap((schema) => {
      if (key === '[]') return schema.items ? [schema.items] : [];
      const own = schema.properties?.[key];
      if (own) return [own];
      return typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [];
    }),
  );

const keysOf = (root: JsonSchema, schemas: readonly JsonSchema[]): readonly Suggestion[] => {
  const entries = schemas.flatMap((schema) => Object.entries(schema.properties ?? {}));
  return [...new Map(entries)].map(([label, schema]) => ({
    label,
    insert: `${label}:${isNested(resolved(root, [schema])) ? '' : ' '}`,
    description: schema.description ?? '',
    isKey: true,
  }));
};

/** Only what goes on in the next lines. */
const isNested = (forms: readonly JsonSchema[]): boolean => forms.every(({ type }) => type === 'object');

const valuesOf = (schemas: readonly JsonSchema[]): readonly Suggestion[] => {
  const values = schemas.flatMap((schema) => {
    if (schema.const !== undefined) return [schema.const];
    return schema.enum ?? (schema.type === 'boolean' ? [true, false] : []);
  });
  return [...new Set(values.map(String))].map((label) => ({ label, insert: label, description: '', isKey: false }));
};
