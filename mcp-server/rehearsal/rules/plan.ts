import { sampleOf } from '../schema.ts';
import type { ParsedRequest } from '../script.ts';
import { CANNOT, isAboutMapping } from './introduction.ts';
import { MAP_FOLDER, pageFor } from './pages.ts';

interface Folder {
  readonly path: string;
  readonly files: number;
}

const DIGEST_LINE = /^- (\S.*?) \((\d+) files?\)$/gm;

const foldersIn = (prompt: string): readonly Folder[] =>
  [...prompt.matchAll(DIGEST_LINE)]
    .map((match) => ({ path: match[1] ?? '', files: Number(match[2]) }))
    .filter((folder) => folder.path.endsWith('/') && !folder.path.includes('…'));

const mostSteps = (prompt: string): number => {
  const wished = /\b(?:at most|exactly|up to|no more than) (\d+) steps?\b/i.exec(prompt)?.[1];
  return Math.max(1, wished ? Number(wished) : 8);
};

/** The person's task inside the planning prompt; the whole prompt, without the digest, where no heading marks it. */
export const taskIn = (prompt: string): string => {
  const tagged = /(?:^|\n)Task:\n([\s\S]*?)\n\nMake at most/.exec(prompt)?.[1];
  const headed = /(?:^|\n)#*[ \t]*(?:the |your )?task\b[^\n:]{0,40}:?[ \t]*\n?([\s\S]*?)(?=\n\s*\n|\n#|\n- |$)/i.exec(
    prompt,
  )?.[1];
  const task = tagged ?? headed;
  return task?.trim() ? task.trim() : prompt.replace(DIGEST_LINE, '').trim();
};

/** Joins the two smallest groups until there are few enough. */
const merge = (folders: readonly Folder[], most: number): readonly (readonly Folder[])[] => {
  const sizeOf = (group: readonly Folder[]): number => group.reduce((sum, folder) => sum + folder.files, 0);
  const groups = folders.map((folder) => [folder]);
  while (groups.length > most) {
    const bySize = [...groups].sort((a, b) => sizeOf(a) - sizeOf(b));
    const [first, second] = bySize as [Folder[], Folder[]];
    groups.splice(groups.indexOf(second), 1);
    first.push(...second);
  }
  return groups;
};

const keyOf = (folder: string): string =>
  folder === './'
    ? 'top'
    : folder
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-|-$/g, '') || 'folder';

interface PlannedStep {
  readonly key: string;
  readonly title: string;
  readonly task: string;
}

/** What a plan's schema allows at the most, characters. */
const MAX_TASK = 1200;

const stepFor = (group: readonly Folder[]): PlannedStep => {
  const names = group.map((folder) => folder.path);
  const what = `Map the folder${names.length > 1 ? 's' : ''} ${names.join(', ')}:`;
  const pages = names.map(pageFor).join(', ');
  const how = 'with the files, what they say about themselves, and the names they export.';
  const whole = `${what} write ${pages} ${how}`;
  return {
    key: names.map(keyOf).join('-').slice(0, 32).replace(/-$/, ''),
    title: `Map ${names.join(', ')}`.slice(0, 60).trim(),
    task: whole.length <= MAX_TASK ? whole : `${what} write a page for each in ${MAP_FOLDER}`,
  };
};

const distinct = (steps: readonly PlannedStep[]): readonly PlannedStep[] => {
  const taken = new Set<string>();
  return steps.map((step) => {
    let key = step.key;
    for (let n = 2; taken.has(key); n++) key = `${step.key}-${n}`;
    taken.add(key);
    return { ...step, key };
  });
};

type Schema = Readonly<Record<string, unknown>>;
const record = (value: unknown): Schema => (typeof value === 'object' && value !== null ? (value as Schema) : {});

/** Fills in what the schema wants besides, and leaves out what it does not know. */
const fitted = (step: PlannedStep, item: Schema): Record<string, unknown> => {
  const properties = record(item['properties']);
  const roles = record(properties['role'])['enum'];
  const role = Array.isArray(roles) && !roles.includes('worker') ? (roles[0] as unknown) : 'worker';
  const wanted: Record<string, unknown> = { ...step, role, needs: [] };
  if (Object.keys(properties).length === 0) return wanted;
  const known = Object.entries(wanted).filter(([name]) => name in properties);
  return { ...record(sampleOf(item)), ...Object.fromEntries(known) };
};

/** Whether the schema asks for a plan. */
export const asksForPlan = (schema: Schema): boolean => 'steps' in record(schema['properties']);

/** A plan as JSON: one step for each top-level folder, or one that says what these rules cannot do. */
export const planByRules = (request: ParsedRequest): string => {
  const prompt = request.firstUser;
  const schema = request.jsonSchema ?? {};
  const item = record(record(record(schema['properties'])['steps'])['items']);
  const task = taskIn(prompt);
  const folders = foldersIn(prompt);
  const steps = isAboutMapping(task)
    ? merge(folders.length > 0 ? folders : [{ path: './', files: 1 }], mostSteps(prompt)).map(stepFor)
    : [{ key: 'explain', title: 'Say what the built-in model can do', task: `${CANNOT} ${task.slice(0, 600)}` }];
  const sample = record(sampleOf({ ...schema, properties: { ...record(schema['properties']), steps: {} } }));
  return JSON.stringify({ ...sample, steps: distinct(steps).map((step) => fitted(step, item)) });
};
