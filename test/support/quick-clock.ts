import { type Clock, systemClock } from '../../mcp-server/domain/clock.ts';

/** A clock on which `speed` seconds go by in each second: for what waits for minutes and must be tested in a moment. */
export const quickClock = (speed: number): Clock => {
  const start = systemClock.now();
  return {
    now: () => Math.round(start + (systemClock.now() - start) * speed),
    sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
    alarm: (ms, ring) => systemClock.alarm(ms / speed, ring),
  };
};
