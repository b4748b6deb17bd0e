import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { messageOf, UserError } from '../../domain/errors.ts';
import { hasEnded } from '../../domain/transitions.ts';
import type { PlanView } from '../../engine/planning-facade.ts';
import type { RunView } from '../../operations/views.ts';
import { type CliContext, EXIT } from './context.ts';
import type { EngineClient } from './engine-client.ts';
import { LineReader } from './line-reader.ts';
import { warnOfNotices } from './notices.ts';
import { type ChangedPlan, changesInWords, editPlan } from './plan-gate.ts';
import { renderPlan } from './plan-text.ts';
import type { PlanAction } from './planning-arguments.ts';
import { resumeAndFollow, startOptions } from './run-command.ts';
import { SteadyClient } from './run-events.ts';
import { describeEnd } from './run-result.ts';

const LOOK_MS = 500;

/** `coppice plan …`: makes a plan that waits, shows, changes, approves or drops one. Resolves with the exit status. */
export const planCommand = async (context: CliContext, action: PlanAction, json: boolean): Promise<number> => {
  if (action.kind === 'approve')
    return resumeAndFollow(context, action.run, { ...action, json }, (client) =>
      client.call<RunView>('plan_approve', { run: action.run }),
    );
  const client = new SteadyClient(context);
  try {
    return await carryOut(context, client, action, json);
  } finally {
    await client.close();
  }
};

const carryOut = async (
  context: CliContext,
  client: EngineClient,
  action: Exclude<PlanAction, { kind: 'approve' }>,
  json: boolean,
): Promise<number> => {
  const { terminal } = context;
  switch (action.kind) {
    case 'create':
      return create(context, client, action.task, json);
    case 'show': {
      const plan = await client.call<PlanView>('plan_show', { run: action.run });
      if (json) terminal.print(JSON.stringify(plan));
      else if (action.yaml) terminal.print(plan.yaml.trimEnd());
      else print(context, plan);
      return EXIT.ok;
    }
    case 'edit':
      return edit(context, client, action, json);
    case 'shrink': {
      const changed = await client.call<ChangedPlan>('plan_edit', { run: action.run, shrink: action.how });
      return tell(context, changed, json);
    }
    case 'drop':
      return drop(context, client, action.run, json);
  }
};

const print = ({ terminal }: CliContext, plan: PlanView): void =>
  terminal.print(renderPlan(plan, { columns: terminal.size().columns, color: terminal.color }).join('\n'));

const create = async (context: CliContext, client: EngineClient, task: string, json: boolean): Promise<number> => {
  const { terminal, program, repoFlag } = context;
  const options = startOptions(context, { json, yes: false, detach: true });
  const made = await client.call<{ run: RunView; plan: PlanView | null }>('plan_create', {
    task,
    options,
    key: context.newKey(),
    seconds: 0,
  });
  await warnOfNotices(context);
  const { run } = made.run;
  if (!json && made.plan === null) terminal.warn(`${run} is being planned.`);
  const view = await planned(context, client, made.run);
  const plan = hasEnded(view.state) ? null : await client.call<PlanView>('plan_show', { run });
  if (json) terminal.print(JSON.stringify({ run: view, plan }));
  else if (plan === null) terminal.print(describeEnd(view, program, repoFlag));
  else {
    print(context, plan);
    const again = (verb: string): string => `${program} plan ${verb} ${run}${repoFlag}`;
    terminal.print(`\nIt waits. Run: ${again('approve')}   change: ${again('edit')}   drop: ${again('drop')}`);
  }
  return plan === null ? EXIT.failed : EXIT.ok;
};

/** When the plan is there, or the run has ended without one. Ctrl-C drops it. */
const planned = async (context: CliContext, client: EngineClient, run: RunView): Promise<RunView> => {
  const stop = context.terminal.onInterrupt(() => {
    context.terminal.warn('The plan is dropped.');
    client
      .call('run_cancel', { run: run.run, mode: 'abort' })
      .catch((error) => context.terminal.warn(`cancel: ${messageOf(error)}`));
  });
  try {
    let view = run;
    while (view.state === 'planning') {
      await context.clock.sleep(LOOK_MS);
      view = await client.call<RunView>('run_status', { run: run.run });
    }
    return view;
  } finally {
    stop();
  }
};

const edit = async (
  context: CliContext,
  client: EngineClient,
  { run, file }: { readonly run: string; readonly file: string | null },
  json: boolean,
): Promise<number> => {
  const { terminal } = context;
  if (file !== null) {
    const changed = await client.call<ChangedPlan>('plan_edit', { run, yaml: await contentOf(context, file) });
    return tell(context, changed, json);
  }
  if (!terminal.canAsk || json)
    throw new UserError(
      'bad-input',
      'There is no terminal for an editor. Write the plan with "plan show RUN --yaml", change it, and give it back with "plan edit RUN --file FILE".',
    );
  const plan = await client.call<PlanView>('plan_show', { run });
  const lines = new LineReader(terminal.stdin);
  const open = (given: string): Promise<string> => {
    lines.close();
    return context.edit(given, 'plan.yaml');
  };
  const again = async (): Promise<boolean> => {
    terminal.warn('[e] edit again   [enter] leave the plan as it was');
    return /^e(dit)?$/i.test((await lines.next(new AbortController().signal))?.trim() ?? '');
  };
  try {
    const changed = await editPlan({ client, terminal, run, open, again }, plan);
    return changed === null ? EXIT.ok : tell(context, changed, json);
  } finally {
    lines.close();
  }
};

const contentOf = ({ terminal }: CliContext, file: string): Promise<string> =>
  file === '-'
    ? text(terminal.stdin)
    : readFile(file, 'utf8').catch((error: unknown) => {
        throw new UserError('bad-input', `${file} cannot be read: ${messageOf(error)}.`);
      });

const tell = (context: CliContext, changed: ChangedPlan, json: boolean): number => {
  if (json) context.terminal.print(JSON.stringify(changed));
  else {
    print(context, changed.plan);
    context.terminal.print(`\n${changesInWords(changed.changes)}`);
  }
  return EXIT.ok;
};

const drop = async (context: CliContext, client: EngineClient, run: string, json: boolean): Promise<number> => {
  const before = await client.call<RunView>('run_status', { run });
  if (before.state !== 'planned' && before.state !== 'planning')
    throw new UserError(
      'wrong-state',
      `The plan of run ${run} does not wait: the run is ${before.state}. "stop ${run}" cancels a run.`,
    );
  const view = await client.call<RunView>('run_cancel', { run, mode: 'abort' });
  context.terminal.print(json ? JSON.stringify(view) : `Dropped the plan of ${run}.`);
  return EXIT.ok;
};
