import assert from 'node:assert/strict';
import type { CrashPoint } from '../../mcp-server/compose.ts';

/** Lives of an engine that ends at some step, each for itself. */
export interface KillSweep {
  readonly where: CrashPoint['where'];
  /** The first step at which it is killed, and how many lie between two of them. */
  readonly from: number;
  readonly stride: number;
  /** So many points must be reached for the sweep to say something. */
  readonly least: number;
  /** One life that ends there, and the next one to the end, with all that must hold then; whether the first was killed. */
  once(crash: CrashPoint): Promise<boolean>;
}

/** Kills at every n-th step until there are no more, two lives at a time. `COPPICE_KILL_STRIDE=1` tries them all. */
export const killSweep = async ({ where, from, stride, least, once }: KillSweep): Promise<void> => {
  const given = Number(process.env['COPPICE_KILL_STRIDE'] ?? 0);
  const step = given || stride;
  let at = given ? 1 : from;
  let reached = 0;
  const lane = async (): Promise<void> => {
    for (;;) {
      const crash = { where, at };
      at += step;
      if (!(await once(crash))) return;
      reached += 1;
    }
  };
  await Promise.all([lane(), lane()]);
  assert.ok(reached >= least, `only ${reached} points were reached`);
};
