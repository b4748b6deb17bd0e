import type { ParsedRequest } from '../script.ts';
import { ownTask } from './conversation.ts';

const SYNTHESIZER = /\bjoin the work of\b|\b(?:role|tier|you are)\b[^.\n]{0,40}?\bsynthesi[sz]er\b/i;
const EXECUTIVE = /\bbring the whole task to its end\b|\b(?:role|tier|you are)\b[^.\n]{0,40}?\bexecutive\b/i;
const RESOLVER = /\brole: resolver\b/i;
const MARKED = /\b(?:hold|contain|with|has|have) conflict markers\b|conflict markers in\b/i;

export type Role = 'executive' | 'synthesizer' | 'resolver' | 'worker';

/** Who this agent is, by what its prompt says of its tier and role. */
export const roleOf = (request: Pick<ParsedRequest, 'system' | 'firstUser'>): Role => {
  if (RESOLVER.test(request.system) || MARKED.test(ownTask(request))) return 'resolver';
  for (const text of [request.system, ownTask(request)]) {
    if (EXECUTIVE.test(text)) return 'executive';
    if (SYNTHESIZER.test(text)) return 'synthesizer';
  }
  return 'worker';
};
