import {
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  type ReadResourceResult,
  ResourceNotFoundError,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import type { SkillSource } from '@modelcontextprotocol/server/ext/skills';
import { UserError } from '../../domain/errors.ts';
import type { AgentId, RunId } from '../../domain/ids.ts';
import type { Engine } from '../../engine/facade.ts';
import { iconsOf } from './icons.ts';
import { agentIds, runIds, startingWith } from './prompts.ts';
import { isUsable, type Skills } from './skill-source.ts';

/** Answers of an agent that its resource shows. */
const MOST_ENTRIES = 40;
/** Resources that one connection may follow. */
const MOST_SUBSCRIPTIONS = 1000;

/** `run://{id}` and `agent://{id}`, with completion of ids. */
export const registerWork = (server: McpServer, engine: Engine): void => {
  server.registerResource(
    'run',
    new ResourceTemplate('run://{id}', {
      list: undefined,
      complete: { id: async (typed) => startingWith(typed, await runIds(engine)) },
    }),
    {
      title: 'A run',
      description: 'State, agents, tokens and result of a run, as run_status gives it.',
      mimeType: 'application/json',
      icons: iconsOf('run'),
    },
    (uri, { id }) => asJson(uri.href, () => engine.runStatus(String(id) as RunId)),
  );
  server.registerResource(
    'agent',
    new ResourceTemplate('agent://{id}', {
      list: undefined,
      complete: { id: async (typed) => startingWith(typed, await agentIds(engine)) },
    }),
    {
      title: 'An agent',
      description: `State and tokens of an agent, and the last ${MOST_ENTRIES} entries of its conversation.`,
      mimeType: 'application/json',
      icons: iconsOf('agent'),
    },
    (uri, { id }) =>
      asJson(uri.href, async () => {
        const { agent, entries } = await engine.transcript(String(id) as AgentId);
        return { agent, entries: entries.slice(-MOST_ENTRIES), omitted: Math.max(0, entries.length - MOST_ENTRIES) };
      }),
  );
};

/** A template that completes names of skills; what is read comes from the skills extension. */
export const registerSkillTemplate = (server: McpServer, skills: Skills, source: SkillSource): void => {
  server.registerResource(
    'skill',
    new ResourceTemplate('skill://{name}/SKILL.md', {
      list: undefined,
      complete: {
        name: (typed) =>
          startingWith(
            typed,
            skills
              .list()
              .filter(isUsable)
              .map(({ name }) => name),
          ),
      },
    }),
    {
      title: 'A skill',
      description: 'The instructions of a skill.',
      mimeType: 'text/markdown',
      icons: iconsOf('skill'),
    },
    async (uri, _variables, context) => {
      const found = await source.read(uri.href, context);
      if (!found || !('text' in found)) throw new ResourceNotFoundError(uri.href);
      return { contents: [{ uri: uri.href, mimeType: 'text/markdown', text: found.text }] };
    },
  );
};

const asJson = async (uri: string, read: () => Promise<object>): Promise<ReadResourceResult> => {
  try {
    return { contents: [{ uri, mimeType: 'application/json', text: JSON.stringify(await read()) }] };
  } catch (error) {
    if (error instanceof UserError && error.code === 'not-found') throw new ResourceNotFoundError(uri, error.message);
    throw error;
  }
};

/** The resources that one client wants to hear of. */
export class Followed {
  readonly #uris = new Set<string>();
  #onFirst: (() => void) | undefined;

  has(uri: string): boolean {
    return this.#uris.has(uri);
  }

  /** False when there are too many already. */
  add(uri: string): boolean {
    if (this.#uris.size >= MOST_SUBSCRIPTIONS && !this.#uris.has(uri)) return false;
    this.#uris.add(uri);
    this.#onFirst?.();
    this.#onFirst = undefined;
    return true;
  }

  delete(uri: string): void {
    this.#uris.delete(uri);
  }

  /** Calls once there is anything to follow. */
  onFirst(listener: () => void): void {
    if (this.#uris.size > 0) listener();
    else this.#onFirst = listener;
  }
}

/** How a client of the older era says what it follows; one of the newer era says so when it listens. */
export const registerSubscriptions = (server: McpServer, followed: Followed): void => {
  server.server.setRequestHandler('resources/subscribe', async ({ params }) => {
    if (followed.add(params.uri)) return {};
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, `At most ${MOST_SUBSCRIPTIONS} resources are followed.`);
  });
  server.server.setRequestHandler('resources/unsubscribe', async ({ params }) => {
    followed.delete(params.uri);
    return {};
  });
};
