import { type OwnedEndpoint, rootOf } from './endpoint.ts';
import type { Endpoint } from './port.ts';
import { SlotPool } from './slots.ts';

/** The endpoints of this engine. */
export interface Endpoints {
  /** Always the same one for the same server and model. */
  get(url: string, model: string | null): Endpoint;
  /** Closes their connections; calls under way fail. */
  close(): void;
}

export interface EndpointsOptions {
  /** `pool` is shared by all models of one server, since its slots are. */
  readonly make: (url: string, model: string | null, pool: SlotPool) => OwnedEndpoint;
  /** Calls at once to one server, whatever it says. */
  readonly slotsOverride?: number;
}

interface Server {
  readonly pool: SlotPool;
  readonly models: Map<string | null, OwnedEndpoint>;
}

/** Makes an endpoint when it is first asked for. Two spellings of one URL are one server. */
export const createEndpoints = ({ make, slotsOverride }: EndpointsOptions): Endpoints => {
  const servers = new Map<string, Server>();
  return {
    get: (url, model) => {
      const root = rootOf(url);
      let server = servers.get(root);
      if (server === undefined) {
        server = { pool: new SlotPool(slotsOverride), models: new Map() };
        servers.set(root, server);
      }
      let endpoint = server.models.get(model);
      if (endpoint === undefined) {
        endpoint = make(root, model, server.pool);
        server.models.set(model, endpoint);
      }
      return endpoint;
    },
    close: () => {
      for (const { models } of servers.values()) for (const endpoint of models.values()) endpoint.close();
      servers.clear();
    },
  };
};
