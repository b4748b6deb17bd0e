import { truncate } from '../domain/text.ts';

/** Marks of chat templates. The server reads them as the end of a message wherever they stand in a prompt. */
const TEMPLATE_MARK =
  /<(?=\|[\w.:-]{1,40}\|>|\uFF5C[^<>\n]{1,40}\uFF5C>|\/?(?:start_of_turn|end_of_turn|think|tool_call|tool_response|tool_calls|bos|eos)>)|\[(?=\/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CALLS)\])/g;

/** The text with the marks of chat templates broken by a space, so that nothing in it can pose as another message. */
export const asData = (text: string): string => text.replace(TEMPLATE_MARK, (mark) => `${mark} `);

/** Further lines are indented: a line that begins at the margin was written by the engine. */
export const indented = (text: string): string => text.trim().replace(/\r?\n/g, '\n  ');

/** Somebody else's text inside a message: cut, broken, indented. */
export const quoted = (text: string, maxChars: number): string => indented(asData(truncate(text.trim(), maxChars)));

/** A task keeps its own lines, but none of them can begin as the engine's own do. */
export const taskText = (text: string): string =>
  asData(text.trim()).replace(/^(?=(?:Message from|Notice from|Report of|Your task)\b)/gim, '  ');
