import { isMap, isScalar, LineCounter, type Pair, parseDocument } from 'yaml';
import type { z } from 'zod';

/** Zero-based, as editors count. */
export interface TextFault {
  readonly line: number;
  readonly column: number;
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

export type Path = readonly PropertyKey[];

/** YAML as data, and the place in the text of each part of it. */
export interface YamlText {
  readonly value: unknown;
  readonly faults: readonly TextFault[];
  /** Of the key or value at the path, or of the nearest part above it that there is. */
  at(path: Path): { readonly line: number; readonly column: number };
}

const MOST_CHARS = 500_000;
/** Deeper text is no workflow; text that holds itself has no end. */
const MOST_DEPTH = 100;
const START = { line: 0, column: 0 };

/** Never throws. Aliases are bounded, and no tag makes anything but plain data. */
export const readYaml = (text: string): YamlText => {
  if (text.length > MOST_CHARS)
    return {
      value: undefined,
      faults: [{ ...START, severity: 'error', message: `It is longer than ${MOST_CHARS} characters.` }],
      at: () => START,
    };
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, schema: 'core', uniqueKeys: true });
  const place = (offset: number): typeof START => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(0, line - 1), column: Math.max(0, col - 1) };
  };
  const faults = [...document.errors, ...document.warnings].map((error): TextFault => {
    const [message = ''] = error.message.split('\n');
    return {
      ...place(error.pos[0]),
      severity: error.name === 'YAMLWarning' ? 'warning' : 'error',
      message: message.replace(/ at line \d+, column \d+:?$/, '.'),
    };
  });
  return { value: valueOf(document, faults), faults, at: (path) => place(offsetOf(document, path)) };
};

const valueOf = (document: ReturnType<typeof parseDocument>, faults: TextFault[]): unknown => {
  if (faults.some(({ severity }) => severity === 'error')) return undefined;
  try {
    const value = document.toJS({ maxAliasCount: 50 }) as unknown;
    if (isNoDeeper(value, MOST_DEPTH)) return value;
    faults.push({ ...START, severity: 'error', message: `It is nested more than ${MOST_DEPTH} deep.` });
    return undefined;
  } catch (error) {
    faults.push({ ...START, severity: 'error', message: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
};

const isNoDeeper = (value: unknown, levels: number): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (levels > 0 && Object.values(value).every((inner) => isNoDeeper(inner, levels - 1)));

const offsetOf = (document: ReturnType<typeof parseDocument>, path: Path): number => {
  for (let depth = path.length; depth > 0; depth -= 1) {
    const key = path[depth - 1];
    const above = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    if (isMap(above)) {
      const pair = above.items.find((item: Pair) => isScalar(item.key) && String(item.key.value) === String(key));
      if (pair && isScalar(pair.key) && pair.key.range) return pair.key.range[0];
    }
    const node = document.getIn(path.slice(0, depth), true) as { range?: readonly number[] | null } | undefined;
    if (node?.range) return node.range[0] ?? 0;
  }
  return 0;
};

/** What the schema says against the data, each at its place; unions say only what fits the data best. */
export const schemaFaults = (yaml: YamlText, issues: readonly z.core.$ZodIssue[]): readonly TextFault[] =>
  issues.flatMap((issue) => issueFaults(yaml, issue, []));

const issueFaults = (yaml: YamlText, issue: z.core.$ZodIssue, above: Path): readonly TextFault[] => {
  const path = [...above, ...issue.path];
  const fault = (at: Path, message: string): TextFault => ({ ...yaml.at(at), severity: 'error', message });
  const name = path.length > 0 ? `${path.map(String).join('.')}: ` : '';
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => fault([...path, key], `${name}there is no "${key}" here.`));
  if (issue.code === 'invalid_union') {
    const best = issue.errors.toSorted((a, b) => score(a) - score(b))[0];
    return best && best.length > 0 && score(best) < 3
      ? best.flatMap((inner) => issueFaults(yaml, inner, path))
      : [fault(path, `${name}this has none of the forms that are possible here.`)];
  }
  return [fault(path, `${name}${issue.message}`)];
};

const score = (issues: readonly z.core.$ZodIssue[]): number =>
  issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1), 0);
