import { createInterface } from 'node:readline';
import type { PartialConfig } from '../../config.ts';
import type { Clock } from '../../domain/clock.ts';
import { messageOf } from '../../domain/errors.ts';
import type { RunResult } from '../../domain/run.ts';
import type { EngineEvent, RunView } from '../../operations/views.ts';
import { type CliContext, EXIT } from './context.ts';
import type { EngineClient } from './engine-client.ts';
import { warnOfNotices } from './notices.ts';
import { type Batch, runEvents, SteadyClient } from './run-events.ts';
import { describeEnd, exitStatusOf, runResult } from './run-result.ts';
import { jsonScreen, liveScreen, plainScreen, type RunScreen } from './run-screen.ts';
import { printable, type Terminal } from './terminal.ts';

/** How `coppice run` was called. */
export interface RunOptions {
  readonly task: string;
  readonly json: boolean;
  readonly detach: boolean;
  readonly yes: boolean;
}

/** Starts a run and, unless told otherwise, follows it to its end. Resolves with the exit status. */
export const runCommand = async (context: CliContext, options: RunOptions): Promise<number> => {
  const client = new SteadyClient(context);
  try {
    const run = await client.call<RunView>('run_start', {
      task: options.task,
      options: startOptions(context, options),
      key: context.newKey(),
    });
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

/** Follows a run that goes on: shows it, passes questions and Ctrl-C on. Resolves with the exit status. */
export const followRun = async (
  context: CliContext,
  client: EngineClient,
  run: RunView,
  options: Pick<RunOptions, 'json' | 'yes'>,
): Promise<number> => {
  const { terminal } = context;
  const leaving = new AbortController();
  const screen = screenFor(context, client, run.run, options.json);
  const questions = new Questions(terminal, client, screen, terminal.canAsk && !options.json && !options.yes);
  const stopInterrupts = terminal.onInterrupt(interruptHandler(context, client, run.run, screen, leaving));
  try {
    const ended = await show(
      runEvents(client, run.run, leaving.signal),
      screen,
      questions,
      leaving.signal,
      context.clock,
    );
    if (!ended) {
      if (options.json) terminal.print(JSON.stringify(await resultSoFar(context, client, run)));
      return EXIT.cancelled;
    }
    const final = await client.call<RunView>('run_status', { run: run.run });
    screen.close();
    terminal.print(
      options.json ? JSON.stringify(runResult(final)) : describeEnd(final, context.program, context.repoFlag),
    );
    return exitStatusOf(final.state);
  } finally {
    screen.close();
    questions.close();
    stopInterrupts();
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

/** What this call sets for the run. Permissions and the API key are the engine's own business. */
const startOptions = (context: CliContext, options: RunOptions): Omit<PartialConfig, 'apiKey' | 'permissions'> => {
  const { apiKey: _key, permissions: _permissions, ...settings } = context.settings;
  const nobodyAnswers = !context.terminal.canAsk && !options.detach;
  return { ...settings, unattended: options.yes || (settings.unattended ?? nobodyAnswers) };
};

const screenFor = (context: CliContext, client: EngineClient, run: string, json: boolean): RunScreen => {
  if (json) return jsonScreen(context.terminal);
  return context.terminal.live ? liveScreen(context.terminal, client, run) : plainScreen(context.terminal);
};

const LIVE_PAUSE_MS = 100;

/** False when the person has left before the end. */
const show = async (
  batches: AsyncGenerator<Batch>,
  screen: RunScreen,
  questions: Questions,
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
    questions.look(next.value.events);
    await clock.sleep(LIVE_PAUSE_MS, leaving);
  }
};

/** First Ctrl-C: wrap up; second: abort; third: leave, and let the run go on. */
const interruptHandler = (
  context: CliContext,
  client: EngineClient,
  run: string,
  screen: RunScreen,
  leaving: AbortController,
): (() => void) => {
  const { program, repoFlag } = context;
  let count = 0;
  const cancel = (mode: 'wrap-up' | 'abort'): void => {
    client.call('run_cancel', { run, mode }).catch((error) => screen.say(`cancel: ${messageOf(error)}`));
  };
  return () => {
    count++;
    if (count === 1) {
      screen.say('Ending the run: its agents report what they have. Ctrl-C again aborts them.');
      cancel('wrap-up');
    } else if (count === 2) {
      screen.say('Aborting the run. Ctrl-C again leaves it alone.');
      cancel('abort');
    } else {
      screen.say(`Left. The run may go on: ${program} status ${run}${repoFlag}`);
      leaving.abort();
    }
  };
};

/** Passes agents' questions to the person, one at a time, and the answers back. */
class Questions {
  readonly #terminal: Terminal;
  readonly #client: EngineClient;
  readonly #screen: RunScreen;
  readonly #enabled: boolean;
  readonly #open: { agent: string; question: string }[] = [];
  #lines: ReturnType<typeof createInterface> | null = null;

  constructor(terminal: Terminal, client: EngineClient, screen: RunScreen, enabled: boolean) {
    this.#terminal = terminal;
    this.#client = client;
    this.#screen = screen;
    this.#enabled = enabled;
  }

  look(events: readonly EngineEvent[]): void {
    if (!this.#enabled) return;
    for (const event of events) {
      if (event.type !== 'agent.asked' || event.agent === null) continue;
      this.#open.push({ agent: event.agent, question: String(event['question']) });
      if (this.#open.length === 1) this.#ask();
    }
  }

  close(): void {
    this.#lines?.close();
    this.#lines = null;
  }

  #ask(): void {
    const next = this.#open[0];
    if (!next) {
      this.close();
      return this.#screen.resume();
    }
    this.#screen.pause();
    this.#terminal.print(`\n${printable(next.question)}\nYour answer (one line):`);
    // Not bound to the terminal's output: Ctrl-C stays with the run.
    this.#lines ??= createInterface({ input: this.#terminal.stdin, terminal: false });
    this.#lines.once('line', (line) => void this.#answer(next.agent, line));
  }

  async #answer(agent: string, line: string): Promise<void> {
    try {
      if (line.trim() === '') return this.#ask();
      await this.#client.call('agent_message', { agent, text: line });
    } catch (error) {
      this.#terminal.warn(`answer: ${messageOf(error)}`);
    }
    this.#open.shift();
    this.#ask();
  }
}
