import { oneLine } from '../domain/text.ts';
import { distinctKey, type PlannedStep } from './steps.ts';
import { taskParts } from './task-parts.ts';

/** One piece of a step: what its agent is told on top, and what it would change. */
interface Piece {
  readonly title: string;
  readonly task: string;
  readonly files: readonly string[] | null;
  /** Comes after the pieces before it. */
  readonly follows: boolean;
}

const folderOf = (path: string): string => {
  const end = path.endsWith('/') ? path.slice(0, -1) : path;
  return end.slice(0, end.lastIndexOf('/') + 1);
};

/** Folders right inside a folder, and itself for the files that lie directly in it. */
const inside = (folder: string, files: readonly string[]): readonly string[] => {
  const start = folder === './' ? '' : folder;
  const found = new Set<string>();
  for (const file of files) {
    if (!file.startsWith(start)) continue;
    const slash = file.indexOf('/', start.length);
    found.add(slash < 0 ? file : file.slice(0, slash + 1));
  }
  return [...found].sort();
};

const byFiles = (step: PlannedStep, paths: readonly string[]): readonly Piece[] =>
  paths.map((path) => ({
    title: oneLine(path, 60),
    task: `${step.task}\n\nYour part of it: only ${path}. Other agents do the rest.`,
    files: [path],
    follows: false,
  }));

const ownTask = (task: string): { readonly start: string; readonly own: string } => {
  const mark = task.lastIndexOf('Your part: ');
  return mark < 0
    ? { start: '', own: task }
    : { start: task.slice(0, mark), own: task.slice(mark + 'Your part: '.length) };
};

/** How the task of a joined step begins. */
const JOINED = /Do these \d+ parts, one after another:|do these \d+, one after another:/g;

const byTask = (step: PlannedStep): readonly Piece[] => {
  const { start, own } = ownTask(step.task);
  const { by, context: around, parts } = taskParts(own, []);
  if (by === 'whole' || parts.length < 2) return [];
  const context = around.replace(JOINED, '').trim();
  return parts.map(({ title, text, follows }) => ({
    title: oneLine(title, 60),
    task: [`${start}${context}`.trim(), `Your part: ${text}`].filter(Boolean).join('\n\n'),
    files: step.files ?? null,
    follows,
  }));
};

/**
 * The pieces that a step falls into: the files that it names, the parts of its task, or what lies in the one folder that
 * it names. Fewer than two: it cannot be split.
 */
const piecesOf = (step: PlannedStep, files: readonly string[]): readonly Piece[] => {
  const named = step.files ?? [];
  if (named.length > 1)
    return byFiles(
      step,
      named.toSorted((a, b) => compare(folderOf(a), folderOf(b)) || compare(a, b)),
    );
  const parts = byTask(step);
  if (parts.length > 1) return parts;
  const [folder] = named;
  return folder?.endsWith('/') ? byFiles(step, inside(folder, files)) : [];
};

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Whether one agent must carry the step out, whatever its size. */
export const isWhole = (step: PlannedStep): boolean =>
  step.work?.kind === 'compute' ||
  step.when !== undefined ||
  step.join !== undefined ||
  step.saga !== undefined ||
  step.undo !== undefined ||
  step.onFailure !== undefined;

/** Into how many steps it could be split at the most. */
export const splitsInto = (step: PlannedStep, files: readonly string[]): number =>
  isWhole(step) ? 1 : Math.max(1, piecesOf(step, files).length);

const together = (step: PlannedStep, pieces: readonly Piece[]): Pick<PlannedStep, 'title' | 'task'> => {
  const [first] = pieces;
  if (first && pieces.length === 1) return { title: first.title, task: first.task };
  const title = oneLine(pieces.map((piece) => piece.title).join(' + '), 60);
  if (pieces.every((piece) => piece.files?.length === 1 && piece.task.startsWith(step.task))) {
    const paths = pieces.flatMap((piece) => piece.files ?? []).join(', ');
    return { title, task: `${step.task}\n\nYour part of it: only ${paths}. Other agents do the rest.` };
  }
  const [start] = pieces.map((piece) => piece.task.slice(0, piece.task.lastIndexOf('Your part: ')));
  const own = pieces.map((piece, index) => `${index + 1}. ${ownTask(piece.task).own}`).join('\n');
  return { title, task: `${start ?? ''}Your part: do these ${pieces.length}, one after another:\n${own}` };
};

/**
 * The step as `wanted` steps, or as many as it has pieces; itself alone when it cannot be split. Their keys are new, save
 * the first one's; whoever needed the step must need all of them.
 */
export const splitStep = (
  step: PlannedStep,
  wanted: number,
  files: readonly string[],
  taken: Set<string>,
): readonly PlannedStep[] => {
  const pieces = isWhole(step) ? [] : piecesOf(step, files);
  const count = Math.min(wanted, pieces.length);
  if (count < 2) return [step];
  const at = (group: number): number => Math.floor((group * pieces.length) / count);
  const steps: PlannedStep[] = [];
  for (let group = 0; group < count; group += 1) {
    const some = pieces.slice(at(group), at(group + 1));
    const key = group === 0 ? step.key : distinctKey(step.key, taken);
    taken.add(key);
    const { files: _files, ...rest } = step;
    const changes = some.flatMap((piece) => piece.files ?? []);
    steps.push({
      ...rest,
      key,
      ...together(step, some),
      needs: some.some((piece) => piece.follows) ? [...step.needs, ...steps.map((before) => before.key)] : step.needs,
      ...(some.every((piece) => piece.files) ? { files: [...new Set(changes)] } : {}),
      parts: ((step.parts ?? 1) * some.length) / pieces.length,
    });
  }
  return steps;
};
