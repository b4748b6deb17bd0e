import { z } from 'zod';
import type { AgentId, RunId } from '../domain/ids.ts';
import { defineOperation, inputObject } from './define.ts';
import { runView } from './views.ts';

const input = inputObject({
  run: z.string().min(1).describe('The id of a run, such as r-7yvsse83k9m1p7.'),
  agent: z.string().min(1).optional().describe('Only this agent of it.'),
  subtree: z.boolean().default(true).describe('With "agent": all that hang from it as well.'),
});
const asked = (given: z.infer<typeof input>) => ({
  run: given.run as RunId,
  agent: given.agent as AgentId | undefined,
  below: given.subtree,
});

const agentPause = defineOperation({
  name: 'agent_pause',
  title: 'Pause agents',
  description:
    'Pauses all agents of a run, or one agent with its descendants ("subtree": false: without them). A turn under way ends normally; ' +
    'after it none is begun. Messages, reports and merges still arrive, time limits do not run, and it holds across restarts. ' +
    'agent_continue takes it back.',
  effect: 'changes',
  idempotent: true,
  input,
  output: runView,
  handle: (engine, given) => engine.pauseAgents(asked(given)),
});

const agentContinue = defineOperation({
  name: 'agent_continue',
  title: 'Continue paused agents',
  description:
    'Lets paused agents go on: all of a run, or one agent with its descendants ("subtree": false: without them). ' +
    'It is for agents that agent_pause has paused; run_resume is for jobs that were parked because they failed.',
  effect: 'changes',
  idempotent: true,
  input,
  output: runView,
  handle: (engine, given) => engine.continueAgents(asked(given)),
});

export const pauseOperations = [agentPause, agentContinue];
