import { text } from 'node:stream/consumers';
import { messageOf, UserError } from '../../domain/errors.ts';
import type { SkillRun, SkillText } from '../../engine/skills-facade.ts';
import type { RunView } from '../../operations/views.ts';
import { type CliContext, EXIT } from './context.ts';
import type { EngineClient } from './engine-client.ts';
import { startAndFollow } from './run-command.ts';
import type { SkillAction, SkillGiven } from './skill-arguments.ts';
import { maySay, resultText } from './skill-text.ts';
import { printable } from './terminal.ts';

type Action = Extract<SkillAction, { kind: 'run' }>;
type Schema = SkillText['input'];

/** As long as a script may take at all, and a little more. */
const SCRIPT_SECONDS = 3600;
const SCRIPT_TIMEOUT_MS = (SCRIPT_SECONDS + 60) * 1000;

/**
 * `coppice skill run`: a script is waited for, an agent is followed like any run. With JSON, the last line is the result
 * (`skill.result`). Resolves with the exit status.
 */
export const runSkill = async (
  context: CliContext,
  client: EngineClient,
  action: Action,
  json: boolean,
): Promise<number> => {
  const { name } = action;
  const about = await client.call<SkillText>('skill_read', { name });
  if (about.skill.state === 'needs-review') return tellUntrusted(context, about, json);
  const input = await inputOf(context, action.given, about.input);
  const asked = { name, ...(input === undefined ? {} : { input }) };
  return about.skill.kind === 'script'
    ? runScript(context, action, asked, json)
    : runAgent(context, client, action, asked, about, json);
};

/** It waits for the person's word, as a plan may. */
const tellUntrusted = ({ terminal, program, repoFlag }: CliContext, { skill }: SkillText, json: boolean): number => {
  const message =
    `${skill.name} needs your trust before it is run; it may then ${maySay(skill.may)}. ` +
    `Look at it and decide: ${program} skill trust ${skill.name}${repoFlag}`;
  terminal.warn(message);
  if (json) terminal.print(JSON.stringify({ type: 'error', code: 'permission-denied', message }));
  return EXIT.notRun;
};

const inputOf = async ({ terminal }: CliContext, given: SkillGiven, schema: Schema): Promise<unknown> => {
  switch (given.kind) {
    case 'nothing':
      return undefined;
    case 'text':
      return given.text;
    case 'parameters':
      return Object.fromEntries(
        Object.entries(given.values).map(([key, value]) => [key, typed(value, typesOf(schema, key))]),
      );
    case 'json':
      return parsed(given.text === '-' ? await text(terminal.stdin) : given.text);
  }
};

const parsed = (json: string): unknown => {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new UserError('bad-input', `--input is not valid JSON: ${messageOf(error)}.`);
  }
  if (typeof value === 'string' || (typeof value === 'object' && value !== null && !Array.isArray(value))) return value;
  throw new UserError('bad-input', '--input wants a JSON object, such as {"depth": 2}, or a text in quotes.');
};

const typesOf = (schema: Schema, key: string): readonly unknown[] => {
  const { properties } = (schema ?? {}) as { readonly properties?: Readonly<Record<string, unknown>> };
  const property = properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
  return [(property as { readonly type?: unknown } | null | undefined)?.type ?? []].flat();
};

/** The text of a parameter as the schema wants it; what does not fit stays a text, and the engine says what is wrong. */
export const typed = (value: string, types: readonly unknown[]): unknown => {
  const wants = (type: string): boolean => types.includes(type);
  if ((wants('number') || wants('integer')) && value.trim() !== '' && Number.isFinite(Number(value)))
    return Number(value);
  if (wants('boolean') && (value === 'true' || value === 'false')) return value === 'true';
  if (wants('null') && value === 'null') return null;
  if (wants('array') || wants('object'))
    try {
      return JSON.parse(value) as unknown;
    } catch {
      return value;
    }
  return value;
};

interface Asked {
  readonly name: string;
  readonly input?: unknown;
}

/** On a connection of its own: when that is lost nobody knows how far the script came, so it is not run again. */
const runScript = async (context: CliContext, action: Action, asked: Asked, json: boolean): Promise<number> => {
  const { terminal } = context;
  if (action.detach)
    throw new UserError('bad-input', `${asked.name} runs a script, which is waited for: leave --detach out.`);
  const client = await context.connect();
  let interrupted = false;
  const stop = terminal.onInterrupt(() => {
    interrupted = true;
    terminal.warn(`${asked.name}: its script is ended.`);
    void client.close();
  });
  if (!json) terminal.warn(`${asked.name}: its script runs; Ctrl-C ends it.`);
  try {
    const run = await client.call<SkillRun>('skill_run', { ...asked, seconds: SCRIPT_SECONDS }, SCRIPT_TIMEOUT_MS);
    tell(context, run, json);
    return run.ok ? EXIT.ok : EXIT.failed;
  } catch (error) {
    if (interrupted) return EXIT.cancelled;
    if (!(error instanceof UserError) || error.code !== 'bad-input') throw error;
    const { program, repoFlag } = context;
    throw new UserError('bad-input', `${error.message} What it takes: ${program} skill show ${asked.name}${repoFlag}`);
  } finally {
    stop();
    await client.close();
  }
};

const tell = ({ terminal }: CliContext, run: SkillRun, json: boolean): void => {
  if (json) terminal.print(JSON.stringify({ type: 'skill.result', ...run }));
  else if (run.ok) terminal.print(resultText(run.result));
  else terminal.warn(printable(`${run.skill} failed: ${run.error ?? 'it did not say why.'}`));
};

const runAgent = async (
  context: CliContext,
  client: EngineClient,
  action: Action,
  asked: Asked,
  about: SkillText,
  json: boolean,
): Promise<number> => {
  const key = context.newKey();
  const startedAt = context.clock.now();
  let run: SkillRun | null = null;
  let again: Record<string, unknown> = {};
  const status = await startAndFollow(context, { ...action, json }, async (own, options) => {
    again = { ...asked, options, key, seconds: 0 };
    run = await own.call<SkillRun>('skill_run', again);
    return own.call<RunView>('run_status', { run: run.run });
  });
  // It was assigned by then, which the compiler cannot see.
  const begun = run as SkillRun | null;
  if (!json || action.detach || begun === null) return status;
  const { state, report, error, filesChanged } = await client.call<RunView>('run_status', { run: begun.run });
  // The same key gives the same run, with what its report holds of the output that the skill declares.
  const ended = about.output === null ? begun : await client.call<SkillRun>('skill_run', again);
  const ok = status === EXIT.ok || status === EXIT.nothing;
  const facts = { state: ok ? 'done' : endedAs(status), ok, report, error, filesChanged, runState: state } as const;
  tell(context, { ...begun, result: ended.result, ...facts, ms: context.clock.now() - startedAt }, json);
  return status;
};

/** Who leaves a run before its end lets it go on. */
const endedAs = (status: number): 'failed' | 'running' => (status === EXIT.notRun ? 'running' : 'failed');
