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

/** The scripted server in a process of its own; its answer is its URL. */
serve(async (job) => {
  const { slots = SLOTS } = job as { readonly slots?: number };
  const server = await startRehearsal({
    slots,
    contextSize: 131_072,
    remembered: 1,
    answer: (request) => ({ ...answerTo(request), latencyMs: shapeIn(request.firstUser)?.latencyMs ?? 0 }),
  });
  return { url: server.url };
});
