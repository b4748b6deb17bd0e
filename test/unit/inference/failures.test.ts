import assert from 'node:assert/strict';
import { classifyConnectionError, classifyServerError, retryAfter } from '../../../mcp-server/inference/failures.ts';

const error = (type: string, message: string, more: object = {}) => ({ error: { type, message, ...more } });

describe('a server error', () => {
  const cases: readonly [what: string, status: number, body: unknown, failure: string, retryable: boolean][] = [
    [
      'a prompt beyond the context',
      400,
      error('exceed_context_size_error', 'request (9 tokens) …'),
      'context-exceeded',
      false,
    ],
    [
      'the same of other servers',
      400,
      error('BadRequestError', "This model's maximum context length is 4096 tokens."),
      'context-exceeded',
      false,
    ],
    [
      'the same by its code',
      400,
      error('x', 'too long', { code: 'context_length_exceeded' }),
      'context-exceeded',
      false,
    ],
    [
      'a shared memory pool that ran out',
      500,
      error('server_error', 'Context size has been exceeded.'),
      'pool-exhausted',
      true,
    ],
    ['a model that is loading', 503, error('unavailable_error', 'Loading model'), 'loading', true],
    ['another 503', 503, 'upstream is gone', 'overloaded', true],
    ['a wrong key', 401, error('authentication_error', 'Invalid API Key'), 'refused', false],
    ['a wrong key without a type', 401, {}, 'refused', false],
    [
      'an answer that the server could not parse',
      500,
      error('server_error', 'The model produced output that does not match the expected peg-native format'),
      'malformed',
      true,
    ],
    [
      'a 500 for a replayed broken call',
      500,
      error('server_error', 'Failed to parse tool call arguments as JSON: …'),
      'refused',
      false,
    ],
    [
      'a 500 for a broken body',
      500,
      error('server_error', '[json.exception.parse_error.101] parse error'),
      'refused',
      false,
    ],
    ['any other 500, which may be a flaky server', 500, error('server_error', 'boom'), 'unreachable', true],
    ['a gateway without a server behind it', 502, '<html>Bad Gateway</html>', 'unreachable', true],
    ['a limit on requests', 429, error('rate_limit_error', 'slow down'), 'overloaded', true],
    ['an invalid request', 400, error('invalid_request_error', "'messages' is required"), 'refused', false],
    ['an unknown route', 404, error('not_found_error', 'File Not Found'), 'refused', false],
    ['a feature that is not there', 501, error('not_supported_error', 'no'), 'refused', false],
    ['a redirection', 302, '', 'refused', false],
  ];
  for (const [what, status, body, failure, retryable] of cases) {
    it(`is known by its type: ${what} is ${failure}${retryable ? ', and worth another try' : ''}`, () => {
      const found = classifyServerError(status, body);
      assert.deepEqual({ failure: found.failure, retryable: found.retryable }, { failure, retryable });
      assert.ok(found.message.length > 10);
    });
  }

  it('says when to come back only if that helps', () => {
    assert.equal(classifyServerError(429, '', 3000).retryAfterMs, 3000);
    assert.equal(classifyServerError(400, '', 3000).retryAfterMs, null);
  });

  it('quotes a page of text in one short line', () => {
    const { message } = classifyServerError(500, `<html>\n${'x'.repeat(10_000)}`);
    assert.ok(message.length < 600 && !message.includes('\n'));
  });
});

describe('a lost connection', () => {
  it('is explained by the error at its root, and worth another try', () => {
    const root = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const found = classifyConnectionError(
      'http://h:1',
      new Error('outer', { cause: new Error('inner', { cause: root }) }),
    );
    assert.deepEqual(
      { failure: found.failure, message: found.message, retryable: found.retryable },
      { failure: 'unreachable', message: 'No model server listens at http://h:1.', retryable: true },
    );
  });

  it('of a host with several addresses is explained by the first', () => {
    const both = new AggregateError([Object.assign(new Error('a'), { code: 'ECONNREFUSED' }), new Error('b')]);
    assert.match(classifyConnectionError('http://h:1', both).message, /No model server listens/);
  });
});

describe('Retry-After', () => {
  it('is read as seconds or as a date, and is never negative or endless', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    assert.equal(retryAfter('2', now), 2000);
    assert.equal(retryAfter('Thu, 01 Jan 2026 00:00:05 GMT', now), 5000);
    assert.equal(retryAfter('Thu, 01 Jan 2025 00:00:05 GMT', now), 0);
    assert.equal(retryAfter('999999999', now), 600_000);
    for (const senseless of [null, undefined, '', 'soon']) assert.equal(retryAfter(senseless, now), null);
  });
});
