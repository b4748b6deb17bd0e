import type { Fault, Script, ScriptedAnswer } from '../../mcp-server/rehearsal/script.ts';

export type { Fault, ParsedRequest, Script, ScriptedAnswer } from '../../mcp-server/rehearsal/script.ts';
export type { Rehearsal, RehearsalOptions } from '../../mcp-server/rehearsal/server.ts';
export { startRehearsal } from '../../mcp-server/rehearsal/server.ts';

/** An answer in plain text. */
export const say = (content: string, more: Partial<ScriptedAnswer> = {}): ScriptedAnswer => ({ content, ...more });

/** An answer that calls one tool. */
export const call = (name: string, args: object | string, more: Partial<ScriptedAnswer> = {}): ScriptedAnswer => ({
  toolCalls: [{ name, arguments: args }],
  ...more,
});

/** An answer that calls several tools at once. */
export const calls = (...wanted: readonly (readonly [name: string, args: object | string])[]): ScriptedAnswer => ({
  toolCalls: wanted.map(([name, args]) => ({ name, arguments: args })),
});

/** The call that ends an agent. */
export const finish = (report: string, outcome: 'done' | 'whole' | 'nothing' | 'blocked' = 'done'): ScriptedAnswer =>
  call('finish', { report, outcome });

/** A fault; what `more` says is the answer that it breaks, else the rules' answer. */
export const fault = (kind: Fault, more: Partial<ScriptedAnswer> = {}): ScriptedAnswer => ({ ...more, fault: kind });

/** One answer for each chat request, in the order of arrival; after the last one the rules answer. */
export const inOrder =
  (...answers: readonly (ScriptedAnswer | undefined)[]): Script =>
  (_request, n) =>
    answers[n - 1];
