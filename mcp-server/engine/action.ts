import { describeCall } from '../agent/tools/tools.ts';
import { oneLine } from '../domain/text.ts';
import type { Answer } from '../domain/turn.ts';

/** What an agent that answered with tool calls does now, for people: `read_file src/a.ts, and 2 more`. */
export const actionOf = (answer: Answer): string => {
  const [first, ...rest] = answer.toolCalls;
  if (!first) return '';
  const more = rest.length > 0 ? `, and ${rest.length} more` : '';
  return oneLine(describeCall(first), 80) + more;
};
