import type { AgentId, RunId } from '../../mcp-server/domain/ids.ts';
import { type BenchEngine, openBenchEngine } from './bench-engine.ts';
import { startBusyRun } from './busy-run.ts';
import { serve } from './child.ts';
import { median, quantile, timed } from './part.ts';

const ROUNDS = 50;

/** All in ms, medians but where it says otherwise. */
export interface StatusTimes {
  readonly agents: number;
  readonly runStatus: number;
  readonly agentList: number;
  readonly agentListChanged: number;
  readonly queueStatus: number;
  readonly message: number;
  readonly messageToEvent: number;
  /** 95 % are quicker. */
  readonly messageToEventMost: number;
}

const forever = new AbortController().signal;

/** Sends a message and waits for its event as a face does. */
const messageToEvent = async ({ engine, store }: BenchEngine, run: RunId, agent: AgentId) => {
  const after = await store.lastEvent();
  const start = performance.now();
  const heard = engine.events({ after, waitMs: 5_000, limit: 100, run, signal: forever });
  await engine.messageAgent({ agent, text: 'Mind the tests.' });
  const sent = performance.now() - start;
  const { events } = await heard;
  if (!events.some(({ type }) => type === 'message.sent')) throw new Error('No event of the message.');
  return { sent, heard: performance.now() - start };
};

/** What people and their tools ask of an engine while a run with many agents is under way. */
serve(async (job): Promise<StatusTimes> => {
  const { url, root, workers } = job as { readonly url: string; readonly root: string; readonly workers: number };
  const bench = await openBenchEngine(root, url);
  const { engine, store } = bench;
  const run = await startBusyRun(bench, workers);
  const agents = await store.agents(run);
  const ask = async (work: () => Promise<unknown>): Promise<number> => {
    await timed(5, work);
    return median(await timed(ROUNDS, work));
  };
  const messages: { sent: number; heard: number }[] = [];
  for (const { id } of agents.slice(100, 100 + ROUNDS)) messages.push(await messageToEvent(bench, run, id));
  const changedSince = (await store.lastEvent()) - 10;
  return {
    agents: agents.length,
    runStatus: await ask(() => engine.runStatus(run)),
    agentList: await ask(() => engine.listAgents({ run })),
    agentListChanged: await ask(() => engine.listAgents({ run, changedSince })),
    queueStatus: await ask(() => engine.queue()),
    message: median(messages.map(({ sent }) => sent)),
    messageToEvent: median(messages.map(({ heard }) => heard)),
    messageToEventMost: quantile(
      messages.map(({ heard }) => heard),
      0.95,
    ),
  };
});
