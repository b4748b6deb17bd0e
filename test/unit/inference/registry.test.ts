import assert from 'node:assert/strict';
import type { OwnedEndpoint } from '../../../mcp-server/inference/endpoint.ts';
import { createEndpoints } from '../../../mcp-server/inference/registry.ts';
import { endpointAt } from './support.ts';

const registry = (slotsOverride?: number) => {
  const made: string[] = [];
  const closed: string[] = [];
  const endpoints = createEndpoints({
    ...(slotsOverride !== undefined && { slotsOverride }),
    make: (url, model, pool): OwnedEndpoint => {
      made.push(`${url} ${model}`);
      return { ...endpointAt(url, { model, pool }), close: () => closed.push(url) };
    },
  });
  return { endpoints, made, closed };
};

describe('the endpoints of an engine', () => {
  it('are one for each server and model, however the URL is written', () => {
    const { endpoints, made } = registry();
    const first = endpoints.get('http://h:1', null);
    assert.equal(endpoints.get('http://h:1/', null), first);
    assert.equal(endpoints.get(' http://h:1/v1/ ', null), first);
    assert.notEqual(endpoints.get('http://h:2', null), first);
    assert.deepEqual(made, ['http://h:1 null', 'http://h:2 null']);
  });

  it('share the slots of one server between its models', () => {
    const { endpoints } = registry();
    const [a, b] = [endpoints.get('http://h:1', 'a'), endpoints.get('http://h:1', 'b')];
    assert.notEqual(a, b);
    const permit = a.tryPermit();
    assert.equal(b.tryPermit(), null);
    permit?.();
    assert.notEqual(b.tryPermit(), null);
    assert.notEqual(endpoints.get('http://h:2', 'a').tryPermit(), null);
  });

  it('are closed together', () => {
    const { endpoints, closed } = registry();
    endpoints.get('http://h:1', 'a');
    endpoints.get('http://h:1', 'b');
    endpoints.get('http://h:2', null);
    endpoints.close();
    assert.deepEqual(closed, ['http://h:1', 'http://h:1', 'http://h:2']);
  });
});
