import assert from 'node:assert/strict';
import { withoutPatterns } from '../../../mcp-server/domain/json-schema.ts';

describe('A JSON schema without regular expressions', () => {
  it('has none at any depth, and keeps properties that are called so', () => {
    const schema = {
      type: 'object',
      properties: {
        pattern: { type: 'string', pattern: '^(a+)+$' },
        list: { type: 'array', items: [{ pattern: 'x', minLength: 2 }] },
      },
      patternProperties: { '^(b+)+$': {} },
      $defs: { patternProperties: { type: 'string' } },
      anyOf: [{ pattern: 'y' }],
    };
    assert.deepEqual(withoutPatterns(schema), {
      type: 'object',
      properties: { pattern: { type: 'string' }, list: { type: 'array', items: [{ minLength: 2 }] } },
      $defs: { patternProperties: { type: 'string' } },
      anyOf: [{}],
    });
  });
});
