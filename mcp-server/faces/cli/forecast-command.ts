import { counted, inTime } from '../../domain/text.ts';
import type { ForecastView, PatternHistory, RecommendationView } from '../../engine/planning-facade.ts';
import type { RunView } from '../../operations/views.ts';
import { type CliContext, EXIT } from './context.ts';
import { remainingLine, renderForecast } from './plan-text.ts';
import type { Following, PlanningInvocation } from './planning-arguments.ts';
import { resumeAndFollow } from './run-command.ts';
import { SteadyClient } from './run-events.ts';
import { human, printable } from './terminal.ts';

/** `coppice forecast RUN`: what a run was said to cost, and while it goes on what is left. */
export const forecastCommand = async (context: CliContext, run: string, json: boolean): Promise<number> => {
  const { terminal } = context;
  const view = await asking(context, (client) => client.call<ForecastView>('forecast', { run }));
  if (json) terminal.print(JSON.stringify(view));
  else {
    const page = { columns: terminal.size().columns, color: terminal.color };
    const left = view.remaining === null ? [] : [remainingLine(view.remaining)];
    terminal.print([...renderForecast(view.forecast, page), ...left].join('\n'));
  }
  return EXIT.ok;
};

/** `coppice recommend`: which pattern fits a task or the plan of a run, and how each did here so far. */
export const recommendCommand = async (
  context: CliContext,
  of: Extract<PlanningInvocation, { command: 'recommend' }>['of'],
  json: boolean,
): Promise<number> => {
  const view = await asking(context, (client) => client.call<RecommendationView>('pattern_recommend', { ...of }));
  context.terminal.print(json ? JSON.stringify(view) : printable(describeRecommendation(view)));
  return EXIT.ok;
};

/** A recommendation in words. */
export const describeRecommendation = ({ pattern, because, alternatives, history }: RecommendationView): string => {
  const lines = [`${pattern}: ${because}`];
  if (alternatives.length > 0) lines.push('', 'Instead of it:');
  lines.push(...alternatives.map((one) => `  ${one.pattern}: ${one.because}`));
  if (history.length > 0) lines.push('', 'So far in this repository:');
  lines.push(...history.map(historyLine));
  return lines.join('\n');
};

const historyLine = ({ pattern, runs, successRate, tokens, wallMs }: PatternHistory): string =>
  `  ${pattern}: ${counted(runs, 'run')}, ${Math.round(successRate * 100)} % ended whole, ` +
  `median ${human(Math.round(tokens))} tokens, ${inTime(wallMs)}`;

/** `coppice retry RUN`: the failed steps are tried again, and followed. */
export const retryCommand = (
  context: CliContext,
  run: string,
  options: Following & { readonly budget: number | null; readonly json: boolean },
): Promise<number> =>
  resumeAndFollow(context, run, options, (client) =>
    client.call<RunView>('run_retry', { run, ...(options.budget === null ? {} : { budget: options.budget }) }),
  );

const asking = async <T>(context: CliContext, ask: (client: SteadyClient) => Promise<T>): Promise<T> => {
  const client = new SteadyClient(context);
  try {
    return await ask(client);
  } finally {
    await client.close();
  }
};
