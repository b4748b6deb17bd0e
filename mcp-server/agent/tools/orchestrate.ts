import { z } from 'zod';
import { oneLine, truncate } from '../../domain/text.ts';
import { defineTool } from '../tool.ts';
import { mayGrow } from './split-step.ts';

const TASK_CHARS = 8000;

const text = z.string().trim().min(1);
const which = z.string().trim().optional().describe('its id; without it, your newest');

export const orchestrate = defineTool({
  name: 'orchestrate',
  harmless: true,
  description:
    'Have a part of your task planned and done by a team of new agents, at your expense. You get their reports; their changes are merged into your copy.',
  input: z.object({
    task: text.describe('all that they must know: what to do, where, and what the result is'),
    tokens: z.int().min(1).optional().describe('tokens of yours that they may spend'),
    wait: z.boolean().optional().describe('false: go on meanwhile'),
  }),
  offered: mayGrow,
  action: (input) => `orchestrate ${oneLine(input.task, 40)}`,
  run: async (_context, { task, tokens = null, wait = true }) => ({
    ok: true,
    output: 'A team is planned.',
    effect: { kind: 'orchestrate', task: truncate(task, TASK_CHARS), tokens, wait },
  }),
});

export const orchestrateStatus = defineTool({
  name: 'orchestrate_status',
  harmless: true,
  description: 'How far a team of yours is: its agents, tokens and reports. With "wait": when it has ended.',
  input: z.object({ id: which, wait: z.boolean().optional() }),
  offered: mayGrow,
  action: (input) => (input.wait ? 'wait for its team' : 'look at its team'),
  run: async (_context, { id, wait = false }) => ({
    ok: true,
    output: 'It is looked up.',
    effect: { kind: 'nested-status', id: id || null, wait },
  }),
});

export const orchestrateCancel = defineTool({
  name: 'orchestrate_cancel',
  harmless: true,
  description: 'Stop a team of yours: each of its agents reports what it has, and begins nothing more.',
  input: z.object({ id: which }),
  offered: mayGrow,
  action: () => 'stop its team',
  run: async (_context, { id }) => ({
    ok: true,
    output: 'It is stopped.',
    effect: { kind: 'nested-cancel', id: id || null },
  }),
});
