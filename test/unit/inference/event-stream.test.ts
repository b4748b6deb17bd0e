import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { readEvents } from '../../../mcp-server/inference/event-stream.ts';

const read = async (parts: readonly (string | Buffer)[], limit = Number.POSITIVE_INFINITY) => {
  const events: string[] = [];
  const stream = Readable.from(parts.map((part) => Buffer.from(part)));
  const end = await readEvents(stream, (data) => events.push(data) < limit);
  return { events, end };
};

describe('an event stream', () => {
  it('gives its data lines and ends with [DONE]', async () => {
    assert.deepEqual(await read(['data: {"a":1}\n\ndata: {"b":2}\n\ndata: [DONE]\n\n']), {
      events: ['{"a":1}', '{"b":2}'],
      end: 'done',
    });
  });

  it('is the same however the network cuts it, even within a character', async () => {
    const bytes = Buffer.from('data: {"a":"häß😀日"}\r\n\r\ndata: [DONE]\r\n\r\n');
    for (let size = 1; size < bytes.length; size += 1) {
      const parts: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
      assert.deepEqual(await read(parts), { events: ['{"a":"häß😀日"}'], end: 'done' });
    }
  });

  it('may have comments, other fields and no space after the colon', async () => {
    assert.deepEqual((await read([': ping\n\nevent: x\nid: 1\ndata:{"a":1}\n\ndata:\n\ndata:[DONE]\n\n'])).events, [
      '{"a":1}',
    ]);
  });

  it('that ends without [DONE] was cut', async () => {
    assert.equal((await read(['data: {"a":1}\n\n'])).end, 'cut');
    assert.equal((await read(['data: [DONE]'])).end, 'cut');
    assert.equal((await read([])).end, 'cut');
  });

  it('whose connection breaks was cut', async () => {
    const stream = new Readable({ read: () => undefined });
    const reading = readEvents(stream, () => true);
    stream.push('data: {"a":1}\n\n');
    setImmediate(() => stream.destroy(new Error('reset')));
    assert.equal(await reading, 'cut');
  });

  it('is read no further once its taker has enough', async () => {
    assert.deepEqual(await read(['data: 1\ndata: 2\ndata: 3\n', 'data: [DONE]\n'], 2), {
      events: ['1', '2'],
      end: 'stopped',
    });
  });

  it('with a line of more than four million characters is refused', async () => {
    const part = 'x'.repeat(500_000);
    const endless = await read(['data: ', ...Array.from({ length: 9 }, () => part)]);
    assert.equal(endless.end, 'line-too-long');
    const atOnce = await read([`data: ${'x'.repeat(4_000_100)}\n`]);
    assert.equal(atOnce.end, 'line-too-long');
  });
});
