const NAMES = ['executive', 'synthesizer', 'worker', 'specialist', 'sub-specialist'] as const;

/**
 * What agents of a level are called, 1 being the uppermost: executive, synthesizer, worker, specialist, sub-specialist,
 * `level 6` and so on; or the person's names, as far as there are any.
 */
export const levelName = (depth: number, custom: readonly string[] = []): string =>
  custom[depth - 1]?.trim() || NAMES[depth - 1] || (depth < 1 ? 'run' : `level ${depth}`);
