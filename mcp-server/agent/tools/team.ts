import { z } from 'zod';
import { reachOf } from '../../domain/run.ts';
import { oneLine, truncate } from '../../domain/text.ts';
import { defineTool } from '../tool.ts';
import { readArguments } from './arguments.ts';

const text = z.string().trim().min(1);

/** Longest texts that go to other agents and to the person, characters. */
const TASK_CHARS = 8000;
const MESSAGE_CHARS = 4000;
const REPORT_CHARS = 16_000;

export const delegate = defineTool({
  name: 'delegate',
  harmless: true,
  description:
    'Give a part of your task to a new agent and get its report. It knows nothing but the text you give it. Its changes are merged into your copy. Only for big, separate parts.',
  input: z.object({
    task: text.describe('all that it must know: what to do, where, and what the result is'),
    role: z.string().optional().describe('worker without it'),
    tokens: z.int().min(1).optional().describe('tokens of yours that it may spend'),
  }),
  offered: ({ agent, run }) =>
    agent.tier !== 'planner' && agent.role !== 'resolver' && agent.depth < reachOf(run.options),
  action: (input) => `delegate ${oneLine(input.task, 40)}`,
  run: async (_context, input) => ({
    ok: true,
    output: 'A new agent works on it.',
    effect: {
      kind: 'delegate',
      task: truncate(input.task, TASK_CHARS),
      role: oneLine(input.role ?? '', 40) || 'worker',
      tokens: input.tokens ?? null,
    },
  }),
});

export const sendMessage = defineTool({
  name: 'send_message',
  harmless: true,
  description: 'Send a short message to another agent. You do not wait for an answer.',
  input: z.object({ to: text.describe('name of an agent, "parent", or "person"'), body: text }),
  offered: ({ agent }) => agent.tier !== 'planner',
  action: (input) => `message to ${oneLine(input.to, 40)}`,
  run: async (_context, input) => ({
    ok: true,
    output: `The message goes to ${oneLine(input.to, 60)}.`,
    effect: { kind: 'send', to: input.to, body: truncate(input.body, MESSAGE_CHARS) },
  }),
});

/** The text of such a call, as its effect has it; null when the arguments are none of it. */
export const messageText = (args: string): string | null => {
  const read = readArguments(sendMessage.input, args);
  return read.ok ? truncate(read.input.body, MESSAGE_CHARS) : null;
};

export const askPerson = defineTool({
  name: 'ask_person',
  harmless: true,
  description: 'Ask the person a question and wait for the answer. Only when you cannot go on without it.',
  input: z.object({ question: text }),
  offered: ({ agent }) => agent.tier !== 'planner',
  action: (input) => `asks: ${oneLine(input.question, 60)}`,
  run: async (_context, input) => ({
    ok: true,
    output: 'The person is asked.',
    effect: { kind: 'ask', question: truncate(input.question, MESSAGE_CHARS) },
  }),
});

export const finish = defineTool({
  name: 'finish',
  harmless: true,
  description: 'End your work with a report. Call it once, when nothing is left to do.',
  input: z.object({
    report: text.describe('short: what you did, in which files, what is left open'),
    outcome: z.enum(['done', 'whole', 'nothing', 'blocked']).optional().describe('done without it'),
  }),
  offered: ({ agent }) => agent.tier !== 'planner',
  action: () => 'finish',
  run: async (_context, input) => ({
    ok: true,
    output: 'Your work is ended.',
    effect: { kind: 'finish', report: truncate(input.report, REPORT_CHARS), outcome: input.outcome ?? 'done' },
  }),
});
