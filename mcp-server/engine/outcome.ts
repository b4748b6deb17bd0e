import type { Effect, ToolResult } from '../agent/tool.ts';
import type { Agent, EndReason } from '../domain/agent.ts';
import type { NewEvent } from '../domain/event.ts';
import type { Commit, JobId, Makes } from '../domain/ids.ts';
import { type Run, reachOf } from '../domain/run.ts';
import { counted, oneLine } from '../domain/text.ts';
import type { Call, ToolCall, Turn } from '../domain/turn.ts';
import type { Tx } from '../store/port.ts';
import { sendMessage } from './inbox.ts';
import { notify } from './missing.ts';
import { findNestedRun, nestedRunStatus, openNestedRuns, startNestedRun, stopNestedRun, stopOpen } from './nested.ts';
import { pauseIfAsked } from './pausing.ts';
import { type Ending, isOver } from './retire.ts';
import { isEnding, ownReport } from './room.ts';
import { closeIfDone, endAgent } from './settle.ts';
import { asAgent, createdEvent, givenRole, newAgent, turnJob } from './spawn.ts';
import { type Started, splitStep } from './split.ts';
import { waitingFor } from './waiting-for.ts';

/** All that one turn did, to be made true in one transaction. */
export interface TurnOutcome {
  readonly job: JobId;
  readonly turn: Turn;
  readonly calls: readonly { readonly call: ToolCall; readonly result: ToolResult }[];
  readonly commit: { readonly commit: Commit; readonly files: readonly string[] } | null;
  /** Null: the agent goes on. */
  readonly ending: Ending | null;
  /** Ordinary turns are left, to make use of something in. */
  readonly mayUse: boolean;
}

/** Makes a turn's outcome true: results, commit, messages, children, and what comes next for the agent. */
export const applyOutcome = async (makes: Makes, tx: Tx, outcome: TurnOutcome): Promise<void> => {
  const now = makes.clock.now();
  const agent = await tx.agent(outcome.turn.agent);
  const run = agent && (await tx.run(agent.run));
  if (!agent || !run) throw new Error('A turn without its agent or run.');
  const head = outcome.commit?.commit ?? agent.headCommit;
  const news = await newsFor(tx, agent, outcome);
  const { calls: acted, ending } = news
    ? unfinished(outcome, news)
    : await afterItsTeams(makes, tx, run, agent, outcome);
  const calls = await carryOutAll(makes, tx, run, { ...agent, headCommit: head }, { ...outcome, calls: acted, ending });
  await tx.insertCalls(calls);
  await tx.closeTurn(outcome.turn.id, { commit: outcome.commit?.commit ?? null, endedAt: now });
  if (outcome.commit) {
    await tx.patchAgent(agent.id, { headCommit: outcome.commit.commit });
    await tx.emit(now, [
      {
        type: 'agent.committed',
        run: run.id,
        agent: agent.id,
        commit: outcome.commit.commit,
        files: outcome.commit.files,
      },
    ]);
  }
  await tx.finishJob(outcome.job, 'done');
  if (isOver(agent)) return closeIfDone(makes, tx, run, outcome.job);
  if (ending) await stopOpen(makes, tx, run, agent, outcome.job);
  if (ending) return endAgent(makes, tx, run, { ...agent, headCommit: head }, ending, outcome.job);
  await goOn(makes, tx, run, agent, calls);
};

/** Ends that a person's words may still change. */
const OPEN_ENDS: ReadonlySet<EndReason> = new Set(['finished', 'answered', 'nothing', 'blocked']);

/** What the person has written or decided while the agent was about to end: it reads that first. */
const newsFor = async (tx: Tx, agent: Agent, { ending, turn, mayUse }: TurnOutcome): Promise<string | null> => {
  if (ending === null || !OPEN_ENDS.has(ending.reason)) return null;
  const [first] = await tx.inbox(agent.id, 1);
  if (first?.from === 'person')
    return 'the person has written to you meanwhile. Read it, do what it asks, then finish.';
  if (first?.kind !== 'answer' || !mayUse || !(await canPay(tx, agent, turn))) return null;
  return 'the person has answered meanwhile. Read it, make use of it, then finish.';
};

/** Some turns like this one, and a last one. */
const TURNS_LIKE_IT = 3;

const canPay = async (tx: Tx, agent: Agent, { usage }: Turn): Promise<boolean> =>
  ((await tx.account(agent.id))?.available ?? 0) >= TURNS_LIKE_IT * ((usage?.prompt ?? 0) + (usage?.completion ?? 0));

const unfinished = ({ calls }: TurnOutcome, news: string): Pick<TurnOutcome, 'calls' | 'ending'> => {
  const output = `Not finished: ${news}`;
  const open = calls.map((one) =>
    one.result.effect?.kind === 'finish' ? { ...one, result: { ok: false, output } } : one,
  );
  return { calls: open, ending: null };
};

/** An agent that would end while a nested run of its own goes on waits for that one first. */
const afterItsTeams = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  agent: Agent,
  outcome: TurnOutcome,
): Promise<Pick<TurnOutcome, 'calls' | 'ending'>> => {
  const { calls, ending } = outcome;
  const open = ending && OPEN_ENDS.has(ending.reason) ? (await openNestedRuns(tx, agent))[0] : undefined;
  if (!open) return outcome;
  const effect: Effect = { kind: 'nested-status', id: open.id, wait: true };
  if (!calls.some(({ result }) => result.effect?.kind === 'finish'))
    await notify(makes, tx, run, agent.id, `${open.id} still works for you: wait for it or stop it, then finish.`);
  return {
    calls: calls.map((one) =>
      one.result.effect?.kind === 'finish' ? { ...one, result: { ...one.result, effect } } : one,
    ),
    ending: null,
  };
};

/** The agent's next turn is queued, unless a call waits for a child, for room in an inbox, or for the person. */
const goOn = async (makes: Makes, tx: Tx, run: Run, agent: Agent, calls: readonly Call[]): Promise<void> => {
  const now = makes.clock.now();
  const waits = calls.some((call) => call.state === 'waiting');
  const to = waits ? 'waiting' : 'ready';
  await tx.moveAgent(agent.id, to, { action: await waitingFor(tx, agent, calls) });
  if (!waits) await tx.enqueue([turnJob(makes, run, agent)], now);
  await tx.emit(now, [{ type: 'agent.moved', run: run.id, agent: agent.id, from: 'running', to, reason: null }]);
  await pauseIfAsked(makes, tx, agent.id);
};

const carryOutAll = async (makes: Makes, tx: Tx, run: Run, agent: Agent, outcome: TurnOutcome): Promise<Call[]> => {
  const rows: Call[] = [];
  for (const [ordinal, { call, result }] of outcome.calls.entries()) {
    const { effect } = result;
    const done = effect ? await carryOut(makes, tx, run, agent, outcome, { ...result, effect }) : settled(result);
    rows.push({
      turn: outcome.turn.id,
      ordinal,
      callId: call.id,
      tool: call.name,
      arguments: call.arguments,
      ...done,
    });
  }
  return rows;
};

type Done = Pick<Call, 'state' | 'ok' | 'output' | 'waitsFor'>;
const settled = (result: Pick<ToolResult, 'ok' | 'output'>): Done => ({
  state: 'done',
  ok: result.ok,
  output: result.output,
  waitsFor: null,
});
const refused = (output: string): Done => settled({ ok: false, output });

const carryOut = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  agent: Agent,
  { turn, ending, job }: TurnOutcome,
  result: ToolResult & { readonly effect: Effect },
): Promise<Done> => {
  const { effect } = result;
  if (ending && effect.kind !== 'finish' && effect.kind !== 'send')
    return refused('Not done: this was your last answer.');
  switch (effect.kind) {
    case 'finish':
      return settled(result);
    case 'ask':
      return ask(makes, tx, run, agent, effect.question);
    case 'send':
      return send(makes, tx, run, agent, effect, ending !== null || isEnding(run, agent));
    case 'delegate':
      return delegate(makes, tx, run, agent, turn, effect);
    case 'split':
      return waitsFor(await splitStep(makes, tx, run, agent, turn, effect));
    case 'orchestrate':
      return orchestrate(makes, tx, run, agent, turn, effect);
    case 'nested-status':
    case 'nested-cancel':
      return ofNestedRun(makes, tx, run, agent, job, effect);
  }
};

const waitsFor = (started: Started): Done =>
  started.ok ? { state: 'waiting', ok: true, output: '', waitsFor: started.id } : refused(started.reason);

const orchestrate = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  agent: Agent,
  turn: Turn,
  effect: Extract<Effect, { kind: 'orchestrate' }>,
): Promise<Done> => {
  const started = await startNestedRun(makes, tx, run, agent, turn, effect);
  if (effect.wait || !started.ok) return waitsFor(started);
  return settled({
    ok: true,
    output: `A team is planned. Its id is ${started.id}. You get a notice when it has ended.`,
  });
};

const ofNestedRun = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  agent: Agent,
  job: JobId,
  effect: Extract<Effect, { kind: 'nested-status' | 'nested-cancel' }>,
): Promise<Done> => {
  const found = await findNestedRun(tx, agent, effect.id);
  if (typeof found === 'string') return refused(found);
  if (effect.kind === 'nested-cancel') {
    if (found.ended) return settled({ ok: true, output: 'It has ended already.' });
    const asked = await stopNestedRun(makes, tx, run, found, job);
    return settled({ ok: true, output: `${asked} agents are asked to stop. You get a notice when all have ended.` });
  }
  if (effect.wait && !found.ended) return { state: 'waiting', ok: true, output: '', waitsFor: found.planner.id };
  return settled({ ok: true, output: await nestedRunStatus(tx, found) });
};

const ask = async (makes: Makes, tx: Tx, run: Run, agent: Agent, question: string): Promise<Done> => {
  if (run.options.unattended)
    return settled({ ok: true, output: 'Nobody is there to answer. Decide yourself, and say so in your report.' });
  if (isEnding(run, agent)) return refused('The person has asked you to stop and answers no more questions.');
  await tx.emit(makes.clock.now(), [{ type: 'agent.asked', run: run.id, agent: agent.id, question }]);
  return { state: 'waiting', ok: true, output: '', waitsFor: 'person' };
};

const send = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  agent: Agent,
  effect: Extract<Effect, { kind: 'send' }>,
  isLast: boolean,
): Promise<Done> => {
  const to = await recipient(tx, run, agent, effect.to);
  if (typeof to === 'string') return refused(to);
  return sendMessage(makes, tx, agent, to, effect.body, isLast);
};

const recipient = async (tx: Tx, run: Run, agent: Agent, to: string): Promise<Agent | string> => {
  if (to === 'parent' && !agent.parent) return 'You have no parent: put what the person should know into your report.';
  if (to === 'person') return 'Use ask_person for a question; put what the person should know into your report.';
  const all = await tx.agents(run.id);
  const found = all.filter((a) => a.id === to || a.name === to || (to === 'parent' && a.id === agent.parent));
  const open = found.filter((a) => !isOver(a) && a.id !== agent.id);
  if (open[0] && open.length === 1) return open[0];
  if (open.length > 1) return `Several agents are called "${to}". Use an id: ${open.map((a) => a.id).join(', ')}.`;
  if (found.some((a) => a.id === agent.id)) return 'You cannot write to yourself.';
  if (found.length > 0) return `"${to}" has ended and reads no more messages.`;
  const names = all
    .filter((a) => !isOver(a) && a.id !== agent.id)
    .slice(0, 20)
    .map((a) => `${a.name} (${a.id})`);
  return `There is no agent "${to}". You can write to: ${names.join(', ') || 'nobody'}.`;
};

/** Depth, numbers and tokens bound it; a refusal says which. */
const delegate = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  agent: Agent,
  turn: Turn,
  effect: Extract<Effect, { kind: 'delegate' }>,
): Promise<Done> => {
  const { options } = run;
  const reach = reachOf(options);
  if (agent.depth >= reach) return refused(`You are at the last of ${reach} levels: do it yourself.`);
  if (isEnding(run, agent)) return refused('The run is being ended: no new agents.');
  if ((await tx.countAgents(run.id)) >= options.maxAgents)
    return refused(`The run already has its ${counted(options.maxAgents, 'agent')}: do it yourself.`);
  if ((await tx.countAgents(run.id, agent.depth + 1)) >= options.maxAgentsPerLevel)
    return refused(`Your level already has its ${counted(options.maxAgentsPerLevel, 'agent')}: do it yourself.`);
  const available = (await tx.account(agent.id))?.available ?? 0;
  const tokens = effect.tokens ?? Math.floor(available / 2);
  if (tokens > available || tokens < 1)
    return refused(`You have ${available} tokens left and cannot grant ${tokens}: ask for fewer, or do it yourself.`);
  const keep = ownReport(turn, available);
  if (tokens > available - keep)
    return refused(
      `You have ${available} tokens left and cannot grant ${tokens}: ${keep} are kept for your own report. Ask for ${available - keep} at the most, or do it yourself.`,
    );
  const child = await spawnChild(makes, tx, run, agent, effect, tokens);
  return { state: 'waiting', ok: true, output: '', waitsFor: child };
};

const spawnChild = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  parent: Agent,
  effect: Extract<Effect, { kind: 'delegate' }>,
  tokens: number,
): Promise<Agent['id']> => {
  const now = makes.clock.now();
  const start = parent.headCommit ?? run.headCommit;
  const spec = {
    parent,
    tier: 'worker',
    role: givenRole(effect.role),
    name: oneLine(effect.task, 48),
    task: effect.task,
    ...(parent.permissions ? { permissions: parent.permissions } : {}),
  } as const;
  const child = newAgent(makes, run, { ...spec, temperature: parent.temperature, step: null, start }, 'ready');
  await tx.insertAgents([child]);
  await tx.grant(parent.id, child.id, tokens, now);
  await tx.enqueue([turnJob(makes, run, asAgent(child))], now);
  const events: NewEvent[] = [
    createdEvent(child),
    { type: 'budget.granted', run: run.id, agent: child.id, to: child.id, tokens },
  ];
  await tx.emit(now, events);
  await pauseIfAsked(makes, tx, child.id);
  return child.id;
};
