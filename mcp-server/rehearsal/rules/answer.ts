import { sampleOf } from '../schema.ts';
import type { ParsedRequest, ScriptedAnswer } from '../script.ts';
import { acknowledgement, askedFor, exchangesOf, inputText, offers, ownTask } from './conversation.ts';
import { CANNOT, HOW_TO_GET_A_MODEL, INTRODUCTION, isAboutMapping } from './introduction.ts';
import { foldersIn, mapFolders } from './map-folders.ts';
import { make, report } from './moves.ts';
import { writeOverview } from './overview.ts';
import { pageFor } from './pages.ts';
import { asksForPlan, planByRules } from './plan.ts';
import { resolveConflicts } from './resolve.ts';
import { roleOf } from './roles.ts';

/** What this conversation has really done so far, for a report that comes early. */
const soFar = (request: ParsedRequest): { readonly text: string; readonly wrote: boolean } => {
  const done = exchangesOf(request).filter((exchange) => exchange.ok);
  const paths = (tool: string): string =>
    [...new Set(done.filter((exchange) => exchange.tool === tool).map((exchange) => inputText(exchange, 'path')))].join(
      ', ',
    );
  const wrote = paths('write_file');
  const facts = [
    wrote ? `Wrote ${wrote}.` : 'Nothing was written.',
    paths('list_files') && `Listed ${paths('list_files')}.`,
    paths('read_file') && `Read ${paths('read_file')}.`,
  ];
  return { text: facts.filter(Boolean).join(' '), wrote: wrote !== '' };
};

/** Stopped early: only `finish` is left. It says what is there and what is not. */
const wrapUp = (request: ParsedRequest): ScriptedAnswer => {
  const { text, wrote } = soFar(request);
  const pages = roleOf(request) === 'worker' ? foldersIn(ownTask(request)).map(pageFor) : [];
  const exchanges = exchangesOf(request);
  if (pages.length > 0 && pages.every((page) => askedFor(exchanges, 'write_file', page)?.ok))
    return report(request, `${text} (Rules, not intelligence.)`, 'whole');
  return report(
    request,
    `Stopped before the end; this is part of the work. ${text} (Rules, not intelligence.)`,
    wrote ? 'done' : 'nothing',
  );
};

const cannot = (request: ParsedRequest, task: string): ScriptedAnswer => {
  const wanted = task.replace(CANNOT, '').trim().replace(/\s+/g, ' ').slice(0, 200);
  return report(
    request,
    `${INTRODUCTION} It cannot do this: “${wanted}”. Nothing was changed. ${HOW_TO_GET_A_MODEL}`,
    'nothing',
  );
};

const withoutTools = (request: ParsedRequest): ScriptedAnswer => {
  const begun = exchangesOf(request).length > 0;
  const text = begun ? soFar(request).text : `${INTRODUCTION} ${HOW_TO_GET_A_MODEL}`;
  return { content: `${acknowledgement(request)}${text}` };
};

const withUnknownTools = (request: ParsedRequest): ScriptedAnswer => {
  const [tool] = request.tools;
  if (request.toolChoice !== 'required' || !tool) return withoutTools(request);
  return make([{ name: tool.name, arguments: sampleOf(tool.parameters) as Record<string, unknown> }]);
};

/** The rules' answer: a pure function of the conversation, so that the same one always gets the same answer. */
export const answerByRules = (request: ParsedRequest): ScriptedAnswer => {
  if (request.jsonSchema) {
    const plan = asksForPlan(request.jsonSchema);
    return { content: plan ? planByRules(request) : JSON.stringify(sampleOf(request.jsonSchema)) };
  }
  if (request.tools.length === 0) return withoutTools(request);
  if (request.tools.length === 1 && offers(request, 'finish')) return wrapUp(request);
  if (!offers(request, 'list_files') || !offers(request, 'write_file')) return withUnknownTools(request);
  const task = ownTask(request);
  const role = roleOf(request);
  if (role === 'resolver') return resolveConflicts(request, task);
  if (role !== 'worker') return writeOverview(request, role);
  if (task.includes(CANNOT) || (foldersIn(task).length === 0 && !isAboutMapping(task))) return cannot(request, task);
  return mapFolders(request, task);
};
