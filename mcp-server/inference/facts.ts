import type { Clock } from '../domain/clock.ts';
import { UserError } from '../domain/errors.ts';
import { classifyConnectionError, START_COMMAND } from './failures.ts';
import { type Http, readText } from './http.ts';
import type { ServerFacts } from './port.ts';
import { withTimeLimit } from './time-limit.ts';

/** A question about the server itself is answered at once, or the server is stuck. */
const PROBE_MS = 15_000;
const UNKNOWN_CONTEXT = 8_192;
const MAX_BODY_CHARS = 8_000_000;

export interface FactsPlace {
  /** Without `/v1`. */
  readonly root: string;
  readonly model: string | null;
  readonly apiKey: string | null;
  readonly http: Http;
  readonly clock: Clock;
  /** Slots of a server that does not say. */
  readonly slotsWhenUnknown: number;
}

interface Probe {
  readonly status: number;
  /** Null when the body was no JSON object. */
  readonly json: Readonly<Record<string, unknown>> | null;
}

export interface Discovered {
  readonly facts: ServerFacts;
  /** It described itself as llama-server does. */
  readonly isLlamaServer: boolean;
}

/** Asks the server what it is. Throws UserError `model-unreachable` (also while loading) or `model-refused`. */
export const discover = async (place: FactsPlace): Promise<Discovered> => {
  await probe(place, '/health');
  const props = await probe(place, '/props');
  const facts = fromProps(place, props.json);
  if (facts !== null) return { facts, isLlamaServer: true };
  const models = await probe(place, '/v1/models');
  return { facts: fromModels(place, models), isLlamaServer: false };
};

const fromProps = (place: FactsPlace, props: Probe['json']): ServerFacts | null => {
  const totalSlots = positive(props?.['total_slots']);
  const contextSize = positive(record(props?.['default_generation_settings'])['n_ctx']);
  if (props === null || totalSlots === null || contextSize === null) return null;
  return {
    url: place.root,
    model: place.model ?? (text(props['model_alias']) || fileName(text(props['model_path'])) || 'default'),
    totalSlots,
    contextSize,
    // Older builds say nothing of it; --jinja is what decides there.
    supportsTools: record(props['chat_template_caps'])['supports_tools'] !== false,
    build: text(props['build_info']),
  };
};

const fromModels = (place: FactsPlace, models: Probe): ServerFacts => {
  const data = models.json?.['data'];
  if (models.status !== 200 || !Array.isArray(data)) {
    throw unreachable(
      `${place.root} answers (status ${models.status}), but not as a model server does. Start one with: ${START_COMMAND}`,
    );
  }
  const entries = data.map(record);
  const entry = entries.find((one) => one['id'] === place.model) ?? entries[0] ?? {};
  const contextSize = positive(record(entry['meta'])['n_ctx']) ?? positive(entry['max_model_len']);
  return {
    url: place.root,
    model: place.model ?? (text(entry['id']) || 'default'),
    totalSlots: place.slotsWhenUnknown,
    contextSize: contextSize ?? UNKNOWN_CONTEXT,
    supportsTools: true,
    build: '',
  };
};

/** One GET. Only a missing or an unwelcome answer throws; a strange one is for the caller. */
const probe = (place: FactsPlace, path: string): Promise<Probe> =>
  withTimeLimit(place.clock, PROBE_MS, undefined, async (signal, timedOut) => {
    const { root } = place;
    try {
      const { status, body } = await get(place, root + path, signal);
      if (status === 401 || status === 403) throw refused(place);
      if (status === 503) throw unreachable(`The model server at ${root} is still loading its model.`);
      return { status, json: parseRecord(body) };
    } catch (error) {
      if (error instanceof UserError) throw error;
      const said = timedOut() ? slow(root) : classifyConnectionError(root, error).message;
      throw unreachable(`${said} Start one with: ${START_COMMAND}`, error);
    }
  });

const get = async (
  { http, apiKey }: FactsPlace,
  url: string,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> => {
  const headers = { accept: 'application/json', ...(apiKey !== null && { authorization: `Bearer ${apiKey}` }) };
  const reply = await http.send({ method: 'GET', url, headers, signal });
  return { status: reply.status, body: await readText(reply.stream, MAX_BODY_CHARS) };
};

const unreachable = (message: string, cause?: unknown): UserError =>
  new UserError('model-unreachable', message, { cause });

const slow = (root: string): string => `The model server at ${root} did not answer within ${PROBE_MS / 1000} s.`;

const refused = ({ root, apiKey }: FactsPlace): UserError =>
  new UserError(
    'model-refused',
    apiKey === null
      ? `The model server at ${root} wants an API key, and none is set.`
      : `The model server at ${root} refused the API key that is set.`,
  );

const parseRecord = (body: string): Probe['json'] => {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
};

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const positive = (value: unknown): number | null =>
  typeof value === 'number' && value >= 1 ? Math.floor(value) : null;

const fileName = (path: string): string => path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
