import type { ParsedRequest, ScriptedAnswer } from '../script.ts';
export const answerByRules = (_request: ParsedRequest): ScriptedAnswer => ({ content: 'rules' });
