import { systemClock } from '../../mcp-server/domain/clock.ts';

/** What a measuring process used for its job, warm-up left out. */
export interface Used {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** The most memory that the process ever held, MB. */
  readonly peakMb: number;
}

/** In the child: does the job and answers. The parent ends the process. */
export const serve = (work: (job: unknown) => Promise<object>): void => {
  process.once('disconnect', () => process.exit(1));
  process.once('message', (job) => {
    void work(job).then(
      (answer) => process.send?.(answer),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
};

/** What is put off until the work is over is counted too, as CPU. */
const AFTER_MS = 150;

/** Wall time and CPU of the work, in this process; garbage of what came before it does not count. */
export const measure = async (work: () => Promise<void>): Promise<Used> => {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const wallMs = performance.now() - wall;
  await systemClock.sleep(AFTER_MS);
  const { user, system } = process.cpuUsage(cpu);
  return {
    wallMs,
    cpuMs: (user + system) / 1000,
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
};
