import type { ParsedRequest, ScriptedAnswer } from '../../mcp-server/rehearsal/script.ts';
import { startRehearsal } from '../../mcp-server/rehearsal/server.ts';
import { serve } from './child.ts';
import { PATH, planText, SLOTS, shapeIn } from './shape.ts';

const answerTo = (request: ParsedRequest): ScriptedAnswer => {
  if (request.jsonSchema) return { content: planText(shapeIn(request.firstUser)?.workers ?? 1) };
  const worker = !/^You are (?:a synthesizer|the executive)/m.test(request.system);
  if (worker && !request.lastTool) return { toolCalls: [{ name: 'read_file', arguments: { path: PATH } }] };
  return { content: worker ? 'It adds two numbers.' : 'The parts fit together.' };
};

/** Nobody waits long for a plan, also where the calls after it never end. */
const latencyOf = (request: ParsedRequest): number => {
  const latencyMs = shapeIn(request.firstUser)?.latencyMs ?? 0;
  return request.jsonSchema ? Math.min(latencyMs, 100) : latencyMs;
};

export interface ServerJob {
  readonly slots?: number;
  /** Given: a common prefix can be laid into slots through files. */
  readonly slotSavePath?: string;
  /** How quickly prompts are evaluated; at once when it is not given. */
  readonly promptTokensPerSecond?: number;
}

/** The scripted server in a process of its own; its answer is its URL. */
serve(async (job) => {
  const { slots = SLOTS, ...more } = job as ServerJob;
  const server = await startRehearsal({
    slots,
    contextSize: 131_072,
    remembered: 1,
    ...more,
    answer: (request) => ({ ...answerTo(request), latencyMs: latencyOf(request) }),
  });
  return { url: server.url };
});
