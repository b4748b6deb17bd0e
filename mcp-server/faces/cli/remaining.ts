import type { Clock } from '../../domain/clock.ts';
import type { ForecastView } from '../../engine/planning-facade.ts';
import type { EngineClient } from './engine-client.ts';
import { remainingLine } from './plan-text.ts';

const EVERY_MS = 5000;

/** What is left of a run in one line, asked at most every few seconds; null while nobody can say. */
export const remainingOf = (client: EngineClient, run: string, clock: Clock): (() => Promise<string | null>) => {
  let asked = Number.NEGATIVE_INFINITY;
  let line: string | null = null;
  return async () => {
    if (clock.now() - asked < EVERY_MS) return line;
    asked = clock.now();
    try {
      const { remaining } = await client.call<ForecastView>('forecast', { run });
      line = remaining === null ? null : remainingLine(remaining);
    } catch {
      // Without a plan there is none; and the run is followed with it or without it.
      line = null;
    }
    return line;
  };
};
