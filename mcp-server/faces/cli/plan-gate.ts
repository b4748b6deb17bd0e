import { messageOf, UserError } from '../../domain/errors.ts';
import type { ShrinkWay } from '../../domain/forecast.ts';
import type { PlanView } from '../../engine/planning-facade.ts';
import type { EngineEvent } from '../../operations/views.ts';
import type { CliContext } from './context.ts';
import type { EngineClient } from './engine-client.ts';
import { LineReader } from './line-reader.ts';
import { fromCache, renderPlan } from './plan-text.ts';
import type { RunScreen } from './run-screen.ts';
import { human, printable } from './terminal.ts';

/** A plan that was changed, and what was done to it. */
export interface ChangedPlan {
  readonly plan: PlanView;
  readonly changes: readonly string[];
}

/** What stands between a plan and its agents. */
export interface Gate {
  /** After new events of the run. Resolves when it has looked, not when the person has decided. */
  look(events: readonly EngineEvent[]): Promise<void>;
  /** A person is being asked. */
  isOpen(): boolean;
  /** The plan was not let go on, and why that is, for the exit status; null: it was, or has not come yet. */
  refused(): 'too-much' | 'waits' | null;
  close(): void;
}

interface Parts {
  readonly context: Pick<CliContext, 'terminal' | 'program' | 'repoFlag' | 'settings' | 'edit'>;
  readonly client: EngineClient;
  readonly run: string;
  readonly screen: RunScreen;
  /** Ends the following; the plan waits on. */
  leave(): void;
}

const STEPS_BEGIN = new Set(['run.planned', 'run.ended']);

/** Shows a plan that waits and asks the person for their word, until they or another face have given it. */
export const askingGate = (parts: Parts): Gate => {
  const { screen, leave } = parts;
  let closing: AbortController | null = null;
  let outcome: 'waits' | null = null;
  const open = async (signal: AbortSignal): Promise<void> => {
    screen.pause();
    const said = await ask(parts, signal).catch((error: unknown) => {
      parts.context.terminal.warn(`plan: ${messageOf(error)}`);
      return 'later' as const;
    });
    closing = null;
    screen.resume();
    if (said !== 'later' || signal.aborted) return;
    outcome = 'waits';
    parts.context.terminal.warn(waitsOn(parts));
    leave();
  };
  return {
    look: async (events) => {
      if (events.some(({ type }) => STEPS_BEGIN.has(type))) closing?.abort();
      else if (closing === null && events.some(({ type }) => type === 'run.held')) {
        closing = new AbortController();
        void open(closing.signal);
      }
    },
    isOpen: () => closing !== null,
    refused: () => outcome,
    close: () => closing?.abort(),
  };
};

/** Asks nobody: a plan that is forecast to cost more than the limit is cancelled; one that waits for another reason is left. */
export const limitGate = (parts: Parts, json: boolean): Gate => {
  const { context, client, run, screen, leave } = parts;
  const limit = context.settings.planning?.maxForecastTokens ?? null;
  let refused: 'too-much' | 'waits' | null = null;
  let told = false;
  const tell = async (): Promise<void> => {
    if (told) return;
    told = true;
    if (!json) {
      const { cachedAt } = await client.call<PlanView>('plan_show', { run });
      if (cachedAt !== null) screen.say(fromCache(cachedAt));
    }
    if (!json || limit === null) return;
    const forecast = await client.call<object>('forecast', { run });
    context.terminal.print(JSON.stringify({ type: 'run.forecast', ...forecast, limit }));
  };
  const hold = async (reason: string): Promise<void> => {
    const plan = await client.call<PlanView>('plan_show', { run });
    const p90 = Math.round(plan.forecast.tokens.p90);
    if (limit !== null && p90 > limit) {
      refused = 'too-much';
      screen.say(
        `The plan is not run: its forecast is ${human(p90)} tokens (p90), and ${human(limit)} are the most (--max-forecast-tokens). ` +
          'The run is cancelled.',
      );
      await client.call('run_cancel', { run, mode: 'abort' });
    } else {
      refused = 'waits';
      screen.say(`The plan is not run, it waits for a person's word (${printable(reason)}).\n${waitsOn(parts)}`);
      leave();
    }
  };
  return {
    look: async (events) => {
      if (events.some(({ type }) => type === 'run.held' || type === 'run.planned')) await tell();
      const held = events.find(({ type }) => type === 'run.held');
      if (held && refused === null && !events.some(({ type }) => STEPS_BEGIN.has(type)))
        await hold(String(held['reason']));
    },
    isOpen: () => false,
    refused: () => refused,
    close: () => {},
  };
};

const waitsOn = ({ context: { program, repoFlag }, run }: Parts): string =>
  `Look: ${program} plan show ${run}${repoFlag}   run: ${program} plan approve ${run}${repoFlag}   drop: ${program} plan drop ${run}${repoFlag}`;

const CHOICES = '[r] Run   [s] Shrink the plan…   [e] Edit plan   [c] Cancel';
const WAYS: Readonly<Record<string, ShrinkWay>> = { 1: 'fewer-agents', 2: 'cheaper-tiers', 3: 'tighter-steps' };

type Word = 'run' | 'cancel' | 'later' | 'over';

/** `later`: there is nobody to answer any more. `over`: somebody else has decided. */
const ask = async (parts: Parts, signal: AbortSignal): Promise<Word> => {
  const { client, run } = parts;
  const { terminal } = parts.context;
  const lines = new LineReader(terminal.stdin);
  try {
    let plan = await client.call<PlanView>('plan_show', { run });
    for (let isNew = true; ; ) {
      if (isNew) show(parts, plan);
      terminal.warn(CHOICES);
      const line = await lines.next(signal);
      if (line === null) return signal.aborted ? 'over' : 'later';
      const word = line.trim().toLowerCase();
      if (word === 'r' || word === 'run') return await approve(parts);
      if (word === 'c' || word === 'cancel') {
        await client.call('run_cancel', { run, mode: 'abort' });
        return 'cancel';
      }
      const changed = await change(parts, plan, word, lines, signal);
      isNew = changed !== null;
      plan = changed ?? plan;
    }
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== 'wrong-state') throw error;
    terminal.warn(printable(error.message));
    return 'over';
  } finally {
    lines.close();
  }
};

const show = ({ context: { terminal, settings } }: Parts, plan: PlanView): void => {
  const page = { columns: terminal.size().columns, color: terminal.color };
  terminal.print(`\n${renderPlan(plan, page).join('\n')}`);
  const limit = settings.planning?.maxForecastTokens ?? null;
  if (limit !== null && plan.forecast.tokens.p90 > limit)
    terminal.print(`  That is more than the ${human(limit)} tokens of --max-forecast-tokens.`);
  terminal.print('');
};

const approve = async ({ client, run }: Parts): Promise<Word> => {
  await client.call('plan_approve', { run });
  return 'run';
};

/** The new plan; null: it is as it was. */
const change = async (
  parts: Parts,
  plan: PlanView,
  word: string,
  lines: LineReader,
  signal: AbortSignal,
): Promise<PlanView | null> => {
  if (word === 's' || word === 'shrink') return shrink(parts, lines, signal);
  if (word === 'e' || word === 'edit') return edit(parts, plan, lines, signal);
  return null;
};

const shrink = async (parts: Parts, lines: LineReader, signal: AbortSignal): Promise<PlanView | null> => {
  const { terminal } = parts.context;
  terminal.warn('[1] fewer agents   [2] cheaper tiers   [3] tighter steps   [enter] leave it');
  const way = WAYS[(await lines.next(signal))?.trim() ?? ''];
  if (way === undefined) return null;
  const { plan, changes } = await parts.client.call<ChangedPlan>('plan_edit', { run: parts.run, shrink: way });
  terminal.print(changesInWords(changes));
  return changes.length > 0 ? plan : null;
};

/** What was done to a plan, for a person. */
export const changesInWords = (changes: readonly string[]): string =>
  changes.length > 0 ? changes.map(printable).join('\n') : 'Nothing more can be made smaller in this way.';

const edit = async (parts: Parts, plan: PlanView, lines: LineReader, signal: AbortSignal): Promise<PlanView | null> => {
  const again = async (): Promise<boolean> => {
    parts.context.terminal.warn('[e] edit again   [enter] leave the plan as it was');
    return /^e(dit)?$/i.test((await lines.next(signal))?.trim() ?? '');
  };
  // The editor has the terminal for itself.
  const open = (text: string): Promise<string> => {
    lines.close();
    return parts.context.edit(text, 'plan.yaml');
  };
  return (await editPlan({ ...parts, terminal: parts.context.terminal, open, again }, plan))?.plan ?? null;
};

/** Opens a plan in an editor until it has no faults, or the person gives up. Null: it is as it was. */
export const editPlan = async (
  parts: {
    readonly client: EngineClient;
    readonly terminal: CliContext['terminal'];
    readonly run: string;
    open(text: string): Promise<string>;
    again(): Promise<boolean>;
  },
  plan: PlanView,
): Promise<ChangedPlan | null> => {
  const { client, terminal, run } = parts;
  for (let text = plan.yaml; ; ) {
    try {
      const edited = await parts.open(text);
      if (edited === plan.yaml) {
        terminal.print('Nothing was changed.');
        return null;
      }
      text = edited;
      return await client.call<ChangedPlan>('plan_edit', { run, yaml: text });
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== 'bad-input') throw error;
      terminal.warn(printable(error.message));
      if (!(await parts.again())) return null;
    }
  }
};
