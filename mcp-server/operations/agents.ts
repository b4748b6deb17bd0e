import { z } from 'zod';
import type { AgentId, RunId } from '../domain/ids.ts';
import { defineOperation, inputObject } from './define.ts';
import { startOptions } from './start-options.ts';
import { accountView, agentView, jobView, serverView, setupProblem, transcriptEntry } from './views.ts';

const run = z.string().min(1);
const agent = z.string().min(1).describe('The id of an agent, such as a-7yvsse83k9m1p7.');

const agentList = defineOperation({
  name: 'agent_list',
  title: 'List agents',
  description:
    'Agents of a run with state, current action and tokens. With "changedSince" only those that an event after this number concerns.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ run, changedSince: z.int().min(0).optional() }),
  output: z.object({ agents: z.array(agentView), last: z.int() }),
  handle: async (engine, input) => {
    const { agents, last } = await engine.listAgents({ run: input.run as RunId, changedSince: input.changedSince });
    return { agents: [...agents], last };
  },
});

const agentTranscript = defineOperation({
  name: 'agent_transcript',
  title: 'Transcript of an agent',
  description:
    'The whole conversation of an agent: task, messages, answers, tool calls with results, tokens and cache hits.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ agent }),
  output: z.object({ agent: agentView, entries: z.array(transcriptEntry) }),
  handle: async (engine, input) => {
    const { agent, entries } = await engine.transcript(input.agent as AgentId);
    return { agent, entries: structuredClone(entries) as z.infer<typeof transcriptEntry>[] };
  },
});

const agentMessage = defineOperation({
  name: 'agent_message',
  title: 'Message to an agent',
  description:
    'Steers an agent: the text goes into its next turn, before all other messages, or answers its open question.',
  effect: 'changes',
  idempotent: false,
  input: inputObject({ agent, text: z.string().trim().min(1).max(50_000) }),
  output: z.object({ message: z.string(), delivery: z.enum(['next-turn', 'answer']) }),
  handle: (engine, input) => engine.messageAgent({ agent: input.agent as AgentId, text: input.text }),
});

const budgetStatus = defineOperation({
  name: 'budget_status',
  title: 'Budget of a run',
  description:
    'Granted, reserved, used and available tokens of the run and of each agent; their sum is always the grant.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ run }),
  output: z.object({ accounts: z.array(accountView), granted: z.int(), sum: z.int() }),
  handle: async (engine, input) => {
    const budget = await engine.budget(input.run as RunId);
    return { ...budget, accounts: [...budget.accounts] };
  },
});

const queueStatus = defineOperation({
  name: 'queue_status',
  title: 'Queue and slots',
  description:
    'Slots of each inference server, running and waiting jobs by priority with their age, parked jobs with the reason.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({}),
  output: z.object({
    servers: z.array(serverView),
    jobs: z.array(jobView),
    counts: z.object({ person: z.int(), review: z.int(), critical: z.int(), batch: z.int() }),
  }),
  handle: async (engine) => {
    const queue = await engine.queue();
    return { servers: [...queue.servers], jobs: [...queue.jobs], counts: { ...queue.counts } };
  },
});

const setupCheck = defineOperation({
  name: 'setup_check',
  title: 'Check the setup',
  description: 'Looks at the repository, git and the inference server, and says what to put right.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ options: startOptions.optional() }),
  output: z.object({ ok: z.boolean(), problems: z.array(setupProblem) }),
  handle: async (engine, input) => {
    const { ok, problems } = await engine.checkSetup(input.options ?? {});
    return { ok, problems: [...problems] };
  },
});

export const agentOperations = [agentList, agentTranscript, agentMessage, budgetStatus, queueStatus, setupCheck];
