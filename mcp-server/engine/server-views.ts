import { messageOf } from '../domain/errors.ts';
import type { Core } from './core.ts';
import type { ServerView } from './facade.ts';
import type { Scheduler } from './scheduler.ts';

/** The servers of runs that go on, those that turns wait for, and the one of the settings; asks none of them. */
export const serverViews = async (core: Core, scheduler: Scheduler): Promise<readonly ServerView[]> => {
  const { parts } = core;
  const wanted = new Map([[parts.settings.server, parts.settings.model]]);
  for (const run of await parts.store.activeRuns()) wanted.set(run.options.server, run.options.model);
  for (const server of await parts.store.queuedServers()) if (!wanted.has(server)) wanted.set(server, null);
  const errors = scheduler.serverErrors();
  return Promise.all([...wanted].map(([server, model]) => serverView(core, server, model, errors.get(server) ?? null)));
};

const serverView = async (
  core: Core,
  server: string,
  model: string | null,
  error: string | null,
): Promise<ServerView> => {
  try {
    if (server === 'rehearsal' && (await core.parts.store.activeRuns()).length === 0)
      return {
        url: server,
        model: 'rules',
        reachable: true,
        error: null,
        slots: { busy: 0, total: 0 },
        contextSize: null,
      };
    const endpoint = await core.parts.endpoint(server, model);
    const facts = endpoint.knownFacts();
    const reachable = error === null && facts !== null;
    return {
      url: server,
      model: facts?.model ?? model,
      reachable,
      error,
      slots: endpoint.slots(),
      contextSize: facts?.contextSize ?? null,
    };
  } catch (failure) {
    return {
      url: server,
      model,
      reachable: false,
      error: messageOf(failure),
      slots: { busy: 0, total: 0 },
      contextSize: null,
    };
  }
};
