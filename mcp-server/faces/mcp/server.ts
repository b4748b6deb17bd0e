import { McpServer } from '@modelcontextprotocol/server';
import { messageOf } from '../../domain/errors.ts';
import type { Caller, McpCore } from './core.ts';
import { iconsOf } from './icons.ts';
import { registerPrompts } from './prompts.ts';
import { Followed, registerSkillTemplate, registerSubscriptions, registerWork } from './resources.ts';
import { registerOperations, registerPinned } from './tools.ts';

const INSTRUCTIONS =
  'Coppice grows one task into a hierarchy of agents on a local model, each in its own git worktree and inside a token ' +
  'budget. Start with run_start, follow with run_wait or events, look with review_diff, and merge with review_land. ' +
  'Runs and agents are resources too (run://ID, agent://ID), and so are skills (skill://NAME/SKILL.md).';

const LIST_CHANGES = ['tools', 'prompts', 'resources'].map((kind) => `notifications/${kind}/list_changed`);

/** An MCP server for one caller; it serves both protocol eras. */
export const createMcpServer = (core: McpCore, caller: Caller): McpServer => {
  const server = new McpServer(
    {
      name: 'coppice',
      title: 'Coppice',
      version: core.version,
      description: 'Hierarchies of local agents, inside a token budget.',
      icons: iconsOf('coppice'),
    },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        completions: {},
      },
      instructions: INSTRUCTIONS,
      requestState: { verify: (state, context) => core.codec.verify(state, context) },
      // One change of the registry is one word, however many tools it adds and removes.
      debouncedNotificationMethods: LIST_CHANGES,
    },
  );
  registerOperations(server, core, caller);
  const updatePinned = registerPinned(server, core, caller);
  const updatePrompts = registerPrompts(server, core.prompts);
  registerWork(server, core.engine);
  if (core.skills) {
    core.skills.extension.attach(server);
    registerSkillTemplate(server, core.skills.registry, core.skills.source);
  }
  registerSubscriptions(server, caller.followed ?? new Followed());
  core.extend?.(server, core.codec);
  if (caller.followed) {
    const update = (): void => {
      updatePinned();
      updatePrompts();
      server.sendResourceListChanged();
    };
    followChanges(server, core, caller.ending, update, caller.followed);
  }
  return server;
};

/** Tells the client what changes, until it ends. */
const followChanges = (
  server: McpServer,
  core: McpCore,
  ending: AbortSignal,
  update: () => void,
  followed: Followed,
): void => {
  if (ending.aborted) return;
  const stops = [
    core.changes.onLists(() => {
      try {
        update();
      } catch (error) {
        core.log(`lists could not be brought up to date: ${messageOf(error)}`);
      }
    }),
  ];
  followed.onFirst(() => {
    if (ending.aborted) return;
    const tell = (uris: ReadonlySet<string>): void => {
      for (const uri of uris) if (followed.has(uri)) void server.server.sendResourceUpdated({ uri }).catch(() => {});
    };
    stops.push(core.changes.onResources(tell));
  });
  const stopAll = (): void => {
    for (const stop of stops) stop();
  };
  ending.addEventListener('abort', stopAll, { once: true });
};
