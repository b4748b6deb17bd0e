import type { EngineEvent } from '../../mcp-server/domain/event.ts';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import type { AgentView } from '../../mcp-server/engine/facade.ts';
import type { Bench } from './engine.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer, say } from './scripted-server.ts';

/** A task that the rules find too big for one agent, so that a planner is asked. */
export const BIG_TASK = 'Write many files, one for each part of the system, and then an overview of all of them';

/** A plan of `n` steps: step `i` writes `out/<i>.txt`. `needs` names, for a step, the steps that it needs. */
export const planOf = (n: number, needs: Readonly<Record<number, readonly number[]>> = {}): ScriptedAnswer =>
  say(
    JSON.stringify({
      steps: Array.from({ length: n }, (_, i) => ({
        key: `s${i}`,
        title: `part ${i}`,
        task: `Write the file out/${i}.txt about part number ${i}.`,
        role: 'worker',
        needs: (needs[i] ?? []).map((j) => `s${j}`),
      })),
    }),
  );

export const isPlanner = (request: ParsedRequest): boolean => request.jsonSchema !== null;

/** The number of the step of `planOf` that asks; -1 for anybody else. */
export const partOf = (request: ParsedRequest): number =>
  Number(/^Your task:\nWrite the file out\/(\d+)\.txt/.exec(request.firstUser)?.[1] ?? -1);

/** The first word of the asking agent's task. */
export const taskOf = (request: ParsedRequest): string => /^Your task:\n(.*)/.exec(request.firstUser)?.[1] ?? '';

/** True in a turn that was announced as the last one: only `finish` is offered. */
export const isLastTurn = (request: ParsedRequest): boolean =>
  request.tools.length === 1 && request.tools[0]?.name === 'finish';

/** Writes the step's file, then finishes. */
export const writePart = (request: ParsedRequest, more: Partial<ScriptedAnswer> = {}): ScriptedAnswer => {
  const part = partOf(request);
  return request.lastTool
    ? finish(`Wrote part ${part}.`)
    : call('write_file', { path: `out/${part}.txt`, content: `${part}\n` }, more);
};

/** How many results of tools the conversation holds. */
export const toolResults = (request: ParsedRequest): readonly string[] =>
  request.messages.filter((message) => message.role === 'tool').map((message) => message.content);

/** Every event so far; of one run and the engine, when it is named. */
export const eventsOf = async (bench: Bench, run?: RunId): Promise<readonly EngineEvent[]> => {
  const signal = new AbortController().signal;
  const { events } = await bench.engine.events({
    after: 0,
    waitMs: 0,
    limit: 100_000,
    signal,
    ...(run ? { run } : {}),
  });
  return events;
};

export const agentsOf = async (bench: Bench, run: RunId): Promise<readonly AgentView[]> =>
  (await bench.engine.listAgents({ run })).agents;

/** The agent of this name; throws when there is none. */
export const agentNamed = async (bench: Bench, run: RunId, name: string): Promise<AgentView> => {
  const agents = await agentsOf(bench, run);
  const found = agents.find((agent) => agent.name.startsWith(name));
  if (!found) throw new Error(`There is no agent ${name}: ${agents.map((agent) => agent.name).join(', ')}`);
  return found;
};
