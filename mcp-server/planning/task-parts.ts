import { counted } from '../domain/text.ts';
import { topFolders } from './digest.ts';
import { namedPaths } from './named-paths.ts';

/** A piece of a task that can be told apart by rule. */
export interface TaskPart {
  readonly title: string;
  readonly text: string;
  /** Comes after the parts before it. */
  readonly follows: boolean;
}

export interface TaskParts {
  readonly by: 'list' | 'components' | 'folders' | 'clauses' | 'sentences' | 'whole';
  /** What holds for every part. */
  readonly context: string;
  readonly parts: readonly TaskPart[];
}

const MOST_CHARS = 20_000;
const ITEM = /^(\s*)(?:[-*•]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?(\S.*)$/;
const FOLLOWS = /^(?:then|after(?:wards| that)?|next|finally|lastly|at the end)\b/i;
const CHECKS =
  /^(?:and\s+)?(?:test|check|verify|review|document|run|describe|report|summari[sz]e|conclude|recommend|(?:write|generate|produce) (?:an? |the )?(?:\w+ )?(?:report|summary|conclusion))\b/i;
const IMPERATIVE =
  /^(?:(?:please|then|also|next|finally|lastly|first|afterwards|after that|and)[,\s]+)*(?:add|analy[sz]e|assess|build|change|check|clean|collect|compare|convert|create|delete|deploy|design|document|draft|drop|estimate|evaluate|extract|find|fix|gather|generate|identify|implement|improve|integrate|introduce|investigate|list|make|measure|merge|migrate|move|optimi[sz]e|outline|plan|port|produce|rank|recommend|refactor|remove|rename|replace|report|research|rewrite|review|run|search|set up|simplify|sort|split|summari[sz]e|support|survey|test|translate|update|upgrade|use|verify|write)\b/i;
const SURVEY =
  /\b(?:map|document|describe|summari[sz]e|inventory|catalog(?:ue)?|survey|overview|audit|explain|list)\b/i;
const SCOPE =
  /\b(?:repo(?:sitory)?|code ?base|project|folders?|director(?:y|ies)|structure|everything|each|every|all|whole|entire)\b/i;

/** A task that looks at the repository as a whole, folder by folder: "map this repository". */
export const isSurvey = (task: string): boolean => {
  const said = task.slice(0, MOST_CHARS);
  return said.length < 600 && SURVEY.test(said) && SCOPE.test(said);
};

const part = (text: string, follows = false): TaskPart => ({ title: text, text, follows });

/** Items of the task's list; deeper items and lines in between belong to the item above. */
const listParts = (task: string): TaskParts | null => {
  const items: string[] = [];
  const context: string[] = [];
  let indent: number | null = null;
  for (const line of task.split('\n')) {
    const item = ITEM.exec(line);
    const depth = item?.[1]?.length ?? 0;
    if (item && (indent === null || depth <= indent)) {
      indent = depth;
      items.push(item[2] ?? '');
    } else if (indent !== null && /^\s+\S/.test(line)) items.push(`${items.pop() ?? ''}\n${line}`);
    else context.push(line);
  }
  if (items.length < 2) return null;
  return {
    by: 'list',
    context: context
      .join('\n')
      .replace(/\n{3,}/g, '\n\n')
      .trim(),
    parts: items.map((item) => part(item, FOLLOWS.test(item))),
  };
};

const NAME = '[`"\']?[\\w.@/-]{2,60}[`"\']?';
const MOST_LISTS = 8;
/** It begins where a word begins, lest a long word is tried at each of its letters. */
const ENUMERATION = new RegExp(`(?<![\\w.@/-])${NAME}(?:, ?${NAME}){0,30},? (?:and|&|und) ${NAME}`, 'g');
const bare = (name: string): string =>
  name
    .replace(/[`"',]/g, '')
    .replace(/^\.\//, '')
    .replace(/[/.]+$/, '');

/** Folders and files that the task names one after another: "in store, inference and worktrees". */
const componentParts = (task: string, files: readonly string[]): TaskParts | null => {
  if (/\b(?:from|between|into|merge|move)\b/i.test(task)) return null;
  const lists = [...task.matchAll(ENUMERATION)]
    .slice(0, MOST_LISTS)
    .map(([list]) => list.split(/, ?(?:and |& |und )?| (?:and|&|und) /).map(bare));
  if (lists.length === 0) return null;
  const known = namedPaths(lists.flat(), files);
  const named = lists.find((list) => list.length > 1 && list.every((name) => known.has(name)));
  return named
    ? {
        by: 'components',
        context: task,
        parts: [...new Set(named)].map((name) => ({ ...part(`only what concerns ${name}`), title: name })),
      }
    : null;
};

const folderParts = (task: string, files: readonly string[]): TaskParts | null => {
  const folders = isSurvey(task) ? topFolders(files) : [];
  if (folders.length < 2) return null;
  const parts = folders.map(({ folder, files }) =>
    folder === './'
      ? {
          title: 'files at the top',
          text: `only the folder ./ (the ${counted(files, 'file')} at the top of the repository).`,
          follows: false,
        }
      : { title: folder.slice(0, -1), text: `only the folder ${folder} (${counted(files, 'file')}).`, follows: false },
  );
  return { by: 'folders', context: task, parts };
};

const FEWEST_CLAUSES = 3;

/** What a sentence asks for one after another, behind a colon: "Review X: search papers, extract findings, write a report". */
const clauseParts = (task: string): TaskParts | null => {
  const colon = /^([^\n:]{3,400}):[ \t]*([^\n]+)$/.exec(task);
  if (!colon) return null;
  const clauses = (colon[2] ?? '')
    .replace(/[.!]\s*$/, '')
    .split(/[,;]\s+(?:and\s+|then\s+)?|\s+and then\s+/)
    .map((clause) => clause.trim())
    .filter(Boolean);
  if (clauses.length < FEWEST_CLAUSES || !clauses.every((clause) => IMPERATIVE.test(clause))) return null;
  const parts = clauses.map((clause, index) =>
    part(clause, index > 0 && (FOLLOWS.test(clause) || CHECKS.test(clause))),
  );
  return { by: 'clauses', context: task, parts };
};

/** Sentences that each ask for something; what only explains belongs to the sentence before. */
const sentenceParts = (task: string): TaskParts | null => {
  const before: string[] = [];
  const asks: string[] = [];
  for (const sentence of task.split(/(?<=[.!?;])\s+|\n+/).map((text) => text.trim())) {
    if (IMPERATIVE.test(sentence)) asks.push(sentence);
    else if (sentence) (asks.length > 0 ? asks : before).push(asks.length > 0 ? `${asks.pop()} ${sentence}` : sentence);
  }
  if (asks.length < 2) return null;
  const parts = asks.map((ask, index) => part(ask, index > 0 && (FOLLOWS.test(ask) || CHECKS.test(ask))));
  return { by: 'sentences', context: before.join(' '), parts };
};

/** A task that one agent does. */
export const wholeTask = (task: string): TaskParts => ({ by: 'whole', context: '', parts: [part(task.trim())] });

/** Takes a task apart by its own shape: its list, the components that it names, the repository's folders, its sentences. */
export const taskParts = (task: string, files: readonly string[]): TaskParts => {
  const said = task.trim().slice(0, MOST_CHARS);
  return (
    listParts(said) ??
    componentParts(said, files) ??
    folderParts(said, files) ??
    clauseParts(said) ??
    sentenceParts(said) ??
    wholeTask(task)
  );
};
