import { completable, type GetPromptResult, type McpServer, type RegisteredPrompt } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { UserError } from '../../domain/errors.ts';
import type { Engine } from '../../engine/facade.ts';
import { iconsOf } from './icons.ts';
import { isUsable, type Skills } from './skill-source.ts';

/** One argument of a prompt; `complete` gives values for what the person has typed of it. */
export interface PromptArgument {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  complete?(typed: string): Promise<readonly string[]> | readonly string[];
}

/** A prompt as lists show it. */
export interface PromptEntry {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly arguments: readonly PromptArgument[];
}

/** Where prompts come from: workflows, skills. */
export interface PromptSource {
  /** In the order in which they are shown. */
  list(): readonly PromptEntry[];
  /** The text that goes to the client's model, as the person's words. Throws UserError `not-found`. */
  get(name: string, args: Readonly<Record<string, string>>): Promise<string>;
  /** After any change of the list. Returns how to stop. */
  onChange?(listener: () => void): () => void;
}

/** One source of several; where two have a prompt of the same name, the first one's counts. */
export const joinPrompts = (...sources: readonly PromptSource[]): PromptSource => {
  const owners = (): Map<string, { entry: PromptEntry; source: PromptSource }> => {
    const found = new Map<string, { entry: PromptEntry; source: PromptSource }>();
    for (const source of sources)
      for (const entry of source.list()) if (!found.has(entry.name)) found.set(entry.name, { entry, source });
    return found;
  };
  return {
    list: () => [...owners().values()].map(({ entry }) => entry),
    get: async (name, args) => {
      const owner = owners().get(name);
      if (!owner) throw new UserError('not-found', `There is no prompt ${name}.`);
      return owner.source.get(name, args);
    },
    onChange: (listener) => {
      const stops = sources.map((source) => source.onChange?.(listener));
      return () => {
        for (const stop of stops) stop?.();
      };
    },
  };
};

/** More would be a list that nobody reads. */
const MOST_SKILLS = 100;

/** Instruction skills that may be used as prompts with a task: pinned ones first. */
export const skillPrompts = (skills: Skills): PromptSource => ({
  list: () =>
    skills
      .list()
      .filter((skill) => skill.kind === 'instructions' && isUsable(skill))
      .sort((a, b) => Number(b.pinned) - Number(a.pinned))
      .slice(0, MOST_SKILLS)
      .map((skill) => ({
        name: skill.name,
        title: skill.name,
        description: skill.description,
        arguments: [{ name: 'task', description: 'What to apply the skill to, in plain words.', required: false }],
      })),
  get: async (name, args) => {
    const skill = await skills.read(name);
    if (!skill || !isUsable(skill)) throw new UserError('not-found', `There is no skill ${name} that may be used.`);
    const task = args['task']?.trim();
    return task ? `${skill.body.trim()}\n\n## The task\n\n${task}\n` : skill.body;
  },
  onChange: (listener) => skills.onChange(listener),
});

/** Prompts for what Coppice itself does. */
export const ownPrompts = (engine: Engine): PromptSource => {
  const entries: readonly PromptEntry[] = [
    {
      name: 'coppice-run',
      title: 'Run a task with Coppice',
      description: 'Hand a task to a hierarchy of local agents, follow it, and show the diff for review.',
      arguments: [
        { name: 'task', description: 'What is to be done.', required: true },
        {
          name: 'server',
          description: 'Inference server; the one of the settings when left out.',
          required: false,
          complete: async (typed) => startingWith(typed, await serverNames(engine)),
        },
      ],
    },
    {
      name: 'coppice-review',
      title: 'Review a run of Coppice',
      description: 'Read what a run changed, and say what should be put right before it is landed.',
      arguments: [
        {
          name: 'run',
          description: 'The id of the run.',
          required: true,
          complete: async (typed) => startingWith(typed, await runIds(engine)),
        },
      ],
    },
  ];
  return {
    list: () => entries,
    get: async (name, args) => {
      if (name === 'coppice-run') return runPrompt(args);
      return (
        `Look at the changes of the run ${args['run'] ?? ''} with the tool review_diff. Read the files that matter with ` +
        'review_file. Say what is right, what is wrong and what is missing, with file and line. Do not land it: ' +
        'that is for the person to decide.'
      );
    },
  };
};

const runPrompt = (args: Readonly<Record<string, string>>): string =>
  `Start a run with the tool run_start for this task:\n\n${args['task'] ?? ''}\n\n` +
  (args['server'] ? `Use "server": ${JSON.stringify(args['server'])} in its options.\n` : '') +
  'Call run_wait until the run has ended. Then show me what changed, from review_diff, in a few sentences.';

/** Ids of the newest runs. */
export const runIds = async (engine: Engine): Promise<readonly string[]> =>
  (await engine.listRuns(100)).map(({ run }) => run);

/** Ids of the agents of the newest runs. */
export const agentIds = async (engine: Engine): Promise<readonly string[]> => {
  const found: string[] = [];
  for (const { run } of await engine.listRuns(5))
    for (const { agent } of (await engine.listAgents({ run })).agents) found.push(agent);
  return found;
};

const serverNames = async (engine: Engine): Promise<readonly string[]> => [
  ...new Set([...(await engine.queue()).servers.map(({ url }) => url), 'rehearsal']),
];

/** What begins with the typed text; MCP allows a hundred values. */
export const startingWith = (typed: string, values: readonly string[]): string[] =>
  values.filter((value) => value.startsWith(typed)).slice(0, 100);

/** Registers the source's prompts. The returned function brings them up to date after a change. */
export const registerPrompts = (server: McpServer, source: PromptSource): (() => void) => {
  const registered = new Map<string, { key: string; prompt: RegisteredPrompt }>();
  const update = (): void => {
    const entries = new Map(source.list().map((entry) => [entry.name, entry]));
    for (const [name, { key, prompt }] of registered) {
      const entry = entries.get(name);
      if (entry && keyOf(entry) === key) continue;
      prompt.remove();
      registered.delete(name);
    }
    for (const entry of entries.values())
      if (!registered.has(entry.name))
        registered.set(entry.name, { key: keyOf(entry), prompt: register(server, source, entry) });
  };
  update();
  return update;
};

const keyOf = (entry: PromptEntry): string => JSON.stringify(entry);

const register = (server: McpServer, source: PromptSource, entry: PromptEntry): RegisteredPrompt => {
  const about = { title: entry.title, description: entry.description, icons: iconsOf('skill') };
  const answer = async (args: Readonly<Record<string, string>>): Promise<GetPromptResult> => ({
    description: entry.description,
    messages: [{ role: 'user', content: { type: 'text', text: await source.get(entry.name, args) } }],
  });
  if (entry.arguments.length === 0) return server.registerPrompt(entry.name, about, () => answer({}));
  return server.registerPrompt(entry.name, { ...about, argsSchema: argumentsOf(entry) }, (args) =>
    answer(args as Record<string, string>),
  );
};

const argumentsOf = (entry: PromptEntry): z.ZodObject =>
  z.object(
    Object.fromEntries(
      entry.arguments.map((argument) => {
        const text = z.string().describe(argument.description);
        const { complete } = argument;
        const field = complete ? completable(text, async (typed) => [...(await complete(typed ?? ''))]) : text;
        return [argument.name, argument.required ? field : field.optional()];
      }),
    ),
  );
