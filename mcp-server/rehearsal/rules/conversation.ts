import type { ParsedRequest } from '../script.ts';

/** A tool call of this conversation with what came back. */
export interface Exchange {
  readonly tool: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly output: string;
  readonly ok: boolean;
}

/** Tools answer a failure in words; there is no other sign of it in a chat. A listing's first name must not look so. */
const FAILED =
  /^\s*(?:error: |refused: |failed: |could not |cannot |invalid [a-z]|there is no |there are no |no such |unknown [a-z]|you (?:may|have|wait)|not (?:run|finished|found)\b|the arguments |[^\n]{0,300}?(?: is outside the repository| is absolute| does not exist| is a folder[;,.]| is not a (?:file|folder)| Call it again like this))/i;

/** Other words may stand before what came of the call, such as those on a set-up that failed. */
const succeeded = (tool: string, output: string): boolean =>
  tool === 'write_file' ? /^Wrote /m.test(output) : !FAILED.test(output);

const parseInput = (text: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
};

/** Every answered call, in order. A call without a result yet is left out. */
export const exchangesOf = (request: Pick<ParsedRequest, 'messages'>): readonly Exchange[] => {
  const results = new Map<string, string>();
  for (const message of request.messages) if (message.role === 'tool') results.set(message.callId, message.content);
  return request.messages
    .flatMap((message) => message.toolCalls)
    .flatMap((call) => {
      const output = results.get(call.id);
      if (output === undefined) return [];
      return [{ tool: call.name, input: parseInput(call.arguments), output, ok: succeeded(call.name, output) }];
    });
};

export const inputText = (exchange: Exchange, field: string): string => {
  const value = exchange.input[field];
  return typeof value === 'string' ? value : '';
};

/** `src`, `./src/` and `src/` are one folder: `src/`. The top is `./`. */
export const asFolder = (path: string): string => {
  const plain = path
    .trim()
    .replace(/^(?:\.?\/)+/, '')
    .replace(/\/+$/, '');
  return plain === '' || plain === '.' ? './' : `${plain}/`;
};

export const asFile = (path: string): string => path.trim().replace(/^(?:\.\/)+/, '');

/** What was asked of one tool for one folder or file; undefined when it was not asked yet. */
export const askedFor = (exchanges: readonly Exchange[], tool: string, path: string): Exchange | undefined => {
  const same = path.endsWith('/') ? asFolder : asFile;
  return exchanges.findLast((exchange) => exchange.tool === tool && same(inputText(exchange, 'path')) === path);
};

/** Only who writes the prompt can begin a line at the margin; the rest of a message is indented. */
const FROM_PERSON = /^Message from the person: *(.*(?:\n {2}.*)*)/gm;

/** What the person wrote into this conversation, oldest first. */
export const personMessages = (request: Pick<ParsedRequest, 'messages'>): readonly string[] =>
  request.messages
    .filter((message) => message.role === 'user')
    .flatMap((message) => [...message.content.matchAll(FROM_PERSON)].map((match) => (match[1] ?? '').trim()))
    .filter(Boolean);

const short = (text: string, max: number): string => (text.length <= max ? text : `${text.slice(0, max - 1)}…`);

/** The sentences about the person's messages that a report begins with; empty when there were none. */
export const acknowledgement = (request: Pick<ParsedRequest, 'messages'>): string => {
  const messages = personMessages(request).slice(-3);
  if (messages.length === 0) return '';
  const quoted = messages.map((message) => `“${short(message.replace(/\s+/g, ' '), 160)}”`).join(', ');
  return `Received from the person: ${quoted}. Rules cannot act on free text, so it is passed on here.\n\n`;
};

export const offers = (request: Pick<ParsedRequest, 'tools'>, name: string): boolean =>
  request.tools.some((tool) => tool.name === name);

/** The agent's own task, without what the first message says besides. */
export const ownTask = (request: Pick<ParsedRequest, 'firstUser'>): string =>
  /^Your task:\n([\s\S]*?)(?=\n\nThe whole task of the team is:|\n\nYou are "|$(?![\s\S]))/.exec(
    request.firstUser,
  )?.[1] ?? request.firstUser;

/** A result that was cut away to save room says so in its place. */
export const isStub = (exchange: Exchange): boolean => /^\[cut to save room: [^\n]*\]$/.test(exchange.output.trim());
