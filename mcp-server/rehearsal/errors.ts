/** A refusal exactly as llama-server words it: `body` is sent as it is. */
export interface Refusal {
  readonly status: number;
  readonly body: { readonly error: Readonly<Record<string, unknown>> };
  readonly headers?: Readonly<Record<string, string>>;
}

const refusal = (code: number, type: string, message: string, extra: Record<string, unknown> = {}): Refusal => ({
  status: code,
  body: { error: { code, message, type, ...extra } },
});

/** 400: the request says something that the server does not accept. */
export const invalidRequest = (message: string): Refusal => refusal(400, 'invalid_request_error', message);

/** 500: llama-server also answers so for malformed JSON, so a 500 is not always worth a retry. */
export const serverError = (message: string): Refusal => refusal(500, 'server_error', message);

export const notFound: Refusal = refusal(404, 'not_found_error', 'File Not Found');
export const loading: Refusal = refusal(503, 'unavailable_error', 'Loading model');
export const noSlot: Refusal = refusal(503, 'unavailable_error', 'no slot available');
export const invalidKey: Refusal = refusal(401, 'authentication_error', 'Invalid API Key');

export const noSlotFiles: Refusal = refusal(
  501,
  'not_supported_error',
  'This server does not support slots action. Start it with `--slot-save-path`',
);

/** What every running request gets when a shared KV pool runs out; inside a stream the status is already 200. */
export const poolExhausted: Refusal = serverError('Context size has been exceeded.');

export const unsupported = (what: string): Refusal =>
  refusal(501, 'not_supported_error', `This server does not support ${what}. Start it with \`--${what}\``);

/** llama-server itself never sends 429; proxies in front of it do. */
export const rateLimited = (seconds: number): Refusal => ({
  ...refusal(429, 'rate_limit_error', 'Too many requests'),
  headers: { 'retry-after': String(seconds) },
});

export const contextExceeded = (promptTokens: number, contextSize: number): Refusal =>
  refusal(
    400,
    'exceed_context_size_error',
    `request (${promptTokens} tokens) exceeds the available context size (${contextSize} tokens), try increasing it`,
    { n_prompt_tokens: promptTokens, n_ctx: contextSize },
  );

/** Carries a refusal out of parsing; the router turns it into the response. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(String(refusal.body.error['message']));
    this.refusal = refusal;
  }
}

/** Names the place like the JSON parser that llama-server uses; the reason is this runtime's. */
export const jsonComplaint = (text: string, error: unknown): string => {
  const reason = error instanceof Error ? error.message : String(error);
  const position = Number(/position (\d+)/.exec(reason)?.[1] ?? text.length);
  const before = text.slice(0, position);
  const line = before.split('\n').length;
  const column = position - before.lastIndexOf('\n');
  return `[json.exception.parse_error.101] parse error at line ${line}, column ${column}: syntax error while parsing value - ${reason}`;
};
