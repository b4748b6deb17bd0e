import assert from 'node:assert/strict';
import { type Rehearsal, startRehearsal } from '../../../mcp-server/rehearsal/server.ts';
import { rawCall } from '../../support/raw-http.ts';

interface Answer {
  readonly object: string;
  readonly model: string;
  readonly usage: object;
  readonly data: readonly { readonly index: number; readonly object: string; readonly embedding: readonly number[] }[];
}

describe('the vectors of the scripted server', () => {
  let server: Rehearsal;
  before(async () => {
    server = await startRehearsal({ embeddings: true });
  });
  after(() => server.close());

  const post = (body: object) => rawCall(`${server.url}/v1/embeddings`, 'POST', body).response;

  it('have the form of the real server’s, and are near where texts have words in common', async () => {
    const { status, text } = await post({ input: ['find bugs', 'find a bug', 'paint it'] });
    assert.equal(status, 200);
    const { object, model, usage, data } = JSON.parse(text) as Answer;
    const keys = ['prompt_tokens', 'total_tokens'];
    assert.deepEqual([object, model, Object.keys(usage)], ['list', 'rehearsal-rules', keys]);
    assert.deepEqual(
      data.map(({ index, object: kind, embedding }) => [index, kind, Math.hypot(...embedding).toFixed(6)]),
      [0, 1, 2].map((index) => [index, 'embedding', '1.000000']),
    );
    const near = (a: number, b: number): number =>
      (data[a]?.embedding ?? []).reduce((sum, one, at) => sum + one * (data[b]?.embedding[at] ?? 0), 0);
    assert.ok(near(0, 1) > near(0, 2));
    assert.equal(JSON.parse((await post({ content: 'one' })).text).data.length, 1);
  });

  it('are refused as the real server refuses', async () => {
    const refusals = [
      [{}, 400, '"input" or "content" must be provided'],
      [{ input: [] }, 500, '"prompt" must not be empty'],
      [{ input: [''] }, 400, 'Input content cannot be empty'],
      [{ input: 'word '.repeat(600) }, 500, 'is too large to process. increase the physical batch size'],
    ] as const;
    for (const [body, wanted, message] of refusals) {
      const { status, text } = await post(body);
      assert.equal(status, wanted, message);
      assert.ok((JSON.parse(text) as { error: { message: string } }).error.message.includes(message), text);
    }
  });
});
