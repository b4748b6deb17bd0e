import type { PartialConfig } from '../../config.ts';
import type { Clock } from '../../domain/clock.ts';
import { messageOf } from '../../domain/errors.ts';
import type { RunResult } from '../../domain/run.ts';
import type { AgentView, RunView } from '../../operations/views.ts';
import { type CliContext, EXIT } from './context.ts';
import type { EngineClient } from './engine-client.ts';
import { warnOfNotices } from './notices.ts';
import { askingGate, type Gate, limitGate } from './plan-gate.ts';
import { Questions } from './questions.ts';
import { remainingOf } from './remaining.ts';
import { type Batch, runEvents, SteadyClient } from './run-events.ts';
import { describeEnd, exitStatusOf, runResult } from './run-result.ts';
import { jsonScreen, plainScreen, type RunScreen } from './run-screen.ts';

/** How `coppice run` was called. */
export interface RunOptions {
  readonly task: string;
  readonly json: boolean;
  readonly detach: boolean;
  readonly yes: boolean;
}

/** Starts a run and, unless told otherwise, follows it to its end. Resolves with the exit status. */
export const runCommand = (context: CliContext, options: RunOptions): Promise<number> =>
  startAndFollow(context, options, (client, given) =>
    client.call<RunView>('run_start', { task: options.task, options: given, key: context.newKey() }),
  );

/** Starts a run in some way; with its plan, it waits for a person's word where there is one to ask. */
export const startAndFollow = async (
  context: CliContext,
  options: Omit<RunOptions, 'task'>,
  start: (client: EngineClient, options: StartSettings) => Promise<RunView>,
): Promise<number> => {
  const client = new SteadyClient(context);
  // Meanwhile, so that nothing lies between the run's start and the moment from which Ctrl-C is heard.
  if (context.terminal.live && !options.json && !options.detach) void import('./live-screen.ts');
  try {
    const run = await start(client, startOptions(context, options));
    await warnOfNotices(context);
    if (options.detach) {
      context.terminal.print(options.json ? JSON.stringify(run) : run.run);
      return EXIT.ok;
    }
    return await followRun(context, client, run, options);
  } finally {
    await client.close();
  }
};

/** Lets a run that there is already go on and, unless told otherwise, follows it from there. */
export const resumeAndFollow = async (
  context: CliContext,
  run: string,
  options: Omit<RunOptions, 'task'>,
  resume: (client: EngineClient) => Promise<RunView>,
): Promise<number> => {
  const client = new SteadyClient(context);
  try {
    const before = await client.call<{ agents: AgentView[]; last: number }>('agent_list', { run });
    const view = await resume(client);
    await warnOfNotices(context);
    if (options.detach) {
      context.terminal.print(options.json ? JSON.stringify(view) : `${run} ${view.state}.`);
      return EXIT.ok;
    }
    return await followRun(context, client, view, options, before);
  } finally {
    await client.close();
  }
};

/** Somebody sits at the terminal and wants to be asked. */
const isAttended = (context: CliContext, options: Pick<RunOptions, 'json' | 'yes'>): boolean =>
  context.terminal.canAsk && !options.json && !options.yes;

/**
 * Follows a run that goes on: shows it, asks for a word on its plan, passes questions and Ctrl-C on. Resolves with the
 * exit status. `before`: what has been seen of it already.
 */
export const followRun = async (
  context: CliContext,
  client: EngineClient,
  run: RunView,
  options: Pick<RunOptions, 'json' | 'yes'>,
  before: { readonly agents: readonly AgentView[]; readonly last: number } = { agents: [], last: 0 },
): Promise<number> => {
  const { terminal } = context;
  const leaving = new AbortController();
  const screen = await screenFor(context, client, run.run, options.json, before.agents);
  const attended = isAttended(context, options);
  const questions = new Questions(terminal, client, screen, attended);
  const parts = { context, client, run: run.run, screen, leave: () => leaving.abort() };
  const gate = attended ? askingGate(parts) : limitGate(parts, options.json);
  const stopInterrupts = terminal.onInterrupt(interruptHandler(parts, gate, leaving));
  const stopTerminates = terminal.onTerminate?.(() => leave(parts, leaving));
  try {
    const batches = runEvents(client, run.run, leaving.signal, before.last);
    const ended = await show(batches, screen, [gate, questions], leaving.signal, context.clock);
    if (!ended) {
      if (options.json) terminal.print(JSON.stringify(await resultSoFar(context, client, run)));
      return gate.refused() === null ? EXIT.cancelled : EXIT.notRun;
    }
    const final = await client.call<RunView>('run_status', { run: run.run });
    screen.close();
    terminal.print(
      options.json ? JSON.stringify(runResult(final)) : describeEnd(final, context.program, context.repoFlag),
    );
    return gate.refused() === null ? exitStatusOf(final.state) : EXIT.notRun;
  } finally {
    gate.close();
    screen.close();
    questions.close();
    stopInterrupts();
    stopTerminates?.();
  }
};

const LAST_LOOK_MS = 2000;

/** The state that the engine tells at once, or else the one that the run began with. */
const resultSoFar = async (context: CliContext, client: EngineClient, run: RunView): Promise<RunResult> => {
  const { clock } = context;
  const asked = client.call<RunView>('run_status', { run: run.run }).catch(() => run);
  const view = await Promise.race([asked, clock.sleep(LAST_LOOK_MS).then(() => run)]);
  return runResult(view, clock.now());
};

/** Settings that go with a run. Permissions, the key and servers beside the run's own are the engine's own business. */
const OF_A_RUN = ['server', 'model', 'budget', 'maxDepth', 'maxAgents', 'maxAgentsPerLevel', 'concurrency'] as const;

/** What this call sets for a run. */
type StartSettings = Pick<PartialConfig, (typeof OF_A_RUN)[number] | 'unattended'> & {
  readonly planning?: Omit<NonNullable<PartialConfig['planning']>, 'servers'>;
};

/** What this call sets for a run, of the settings and because of who is there to be asked. */
export const startOptions = (
  context: CliContext,
  options: Pick<RunOptions, 'json' | 'yes' | 'detach'>,
): StartSettings => {
  const { settings, terminal } = context;
  const own = OF_A_RUN.flatMap((key) => (settings[key] === undefined ? [] : [[key, settings[key]] as const]));
  const { servers: _servers, gate, ...rest } = settings.planning ?? {};
  const word = gateOf(gate, isAttended(context, options), options.detach);
  const planning = word === undefined ? rest : { ...rest, gate: word };
  const nobodyAnswers = !terminal.canAsk && !options.detach;
  return {
    ...(Object.fromEntries(own) as Pick<PartialConfig, (typeof OF_A_RUN)[number]>),
    ...(Object.keys(planning).length > 0 ? { planning } : {}),
    unattended: options.yes || (settings.unattended ?? nobodyAnswers),
  };
};

type GateWord = 'ask' | 'go' | undefined;

/** Who follows a run is asked, unless the settings say that they need not be; where nobody is there, nobody is waited for. */
const gateOf = (set: GateWord, attended: boolean, detach: boolean): GateWord => {
  if (detach) return set;
  return attended ? (set ?? 'ask') : 'go';
};

const screenFor = async (
  context: CliContext,
  client: EngineClient,
  run: string,
  json: boolean,
  known: readonly AgentView[],
): Promise<RunScreen> => {
  const { terminal, clock } = context;
  if (json) return jsonScreen(terminal);
  const remaining = remainingOf(client, run, clock);
  // What measures the width of characters takes a sixth of the time that a command takes.
  if (terminal.live) return (await import('./live-screen.ts')).liveScreen(terminal, client, run, remaining);
  return plainScreen(terminal, remaining, new Map(known.map(({ agent, name }) => [agent, name])));
};

const LIVE_PAUSE_MS = 100;

/** False when the person has left before the end. */
const show = async (
  batches: AsyncGenerator<Batch>,
  screen: RunScreen,
  lookers: readonly [Gate, Questions],
  leaving: AbortSignal,
  clock: Clock,
): Promise<boolean> => {
  const left = new Promise<'left'>((resolve) => {
    leaving.addEventListener('abort', () => resolve('left'), { once: true });
  });
  for (;;) {
    const next = await Promise.race([batches.next(), left]);
    if (next === 'left' || leaving.aborted) return false;
    if (next.done) return true;
    await screen.update(next.value);
    for (const looker of lookers) await looker.look(next.value.events);
    await clock.sleep(LIVE_PAUSE_MS, leaving);
  }
};

const leave = (
  { context, run, screen }: { context: CliContext; run: string; screen: RunScreen },
  leaving: AbortController,
): void => {
  if (leaving.signal.aborted) return;
  screen.say(`Left. The run may go on: ${context.program} status ${run}${context.repoFlag}`);
  leaving.abort();
};

/** First Ctrl-C: wrap up; second: abort; third: leave, and let the run go on. */
const interruptHandler = (
  { context, client, run, screen }: { context: CliContext; client: EngineClient; run: string; screen: RunScreen },
  gate: Gate,
  leaving: AbortController,
): (() => void) => {
  let count = 0;
  const cancel = (mode: 'wrap-up' | 'abort'): void => {
    client.call('run_cancel', { run, mode }).catch((error) => screen.say(`cancel: ${messageOf(error)}`));
  };
  return () => {
    count++;
    if (count === 1) {
      screen.say(
        gate.isOpen()
          ? 'The plan is dropped.'
          : 'Ending the run: its agents report what they have. Ctrl-C again aborts them.',
      );
      cancel('wrap-up');
    } else if (count === 2) {
      screen.say('Aborting the run. Ctrl-C again leaves it alone.');
      cancel('abort');
    } else {
      leave({ context, run, screen }, leaving);
    }
  };
};
