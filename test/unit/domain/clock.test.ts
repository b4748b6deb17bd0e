import assert from 'node:assert/strict';
import { systemClock } from '../../../mcp-server/domain/clock.ts';

describe('the clock of the system', () => {
  it('does not ring or wake at once because somebody is to wait for very long', async () => {
    const stop = new AbortController();
    let early = 0;
    const sleeping = systemClock.sleep(1e14, stop.signal).then(() => early++);
    const cancel = systemClock.alarm(1e14, () => early++);
    await systemClock.sleep(20);
    assert.equal(early, 0);
    cancel();
    stop.abort();
    await sleeping;
    assert.equal(early, 1);
  });

  it('does not ring when the alarm was taken back', async () => {
    let rung = 0;
    systemClock.alarm(1, () => rung++)();
    systemClock.alarm(1, () => rung++);
    await systemClock.sleep(20);
    assert.equal(rung, 1);
  });
});
