/** The last values that were asked for. */
export interface Recent<T> {
  /** Each is made once, also when it is asked for twice at the same time; one that fails is made anew. */
  get(key: string, make: () => Promise<T>): Promise<T>;
  /** One that has been made and need not be waited for. */
  known(key: string): T | undefined;
  forget(key: string): void;
}

interface Kept<T> {
  readonly value: Promise<T>;
  known?: T;
}

/** Remembers `size` values. */
export const createRecent = <T>(size: number): Recent<T> => {
  const values = new Map<string, Kept<T>>();
  const keep = (key: string, value: Promise<T>): Kept<T> => {
    const kept: Kept<T> = { value };
    value.then(
      (known) => void (kept.known = known),
      () => {
        if (values.get(key) === kept) values.delete(key);
      },
    );
    return kept;
  };
  return {
    get: (key, make) => {
      const kept = values.get(key) ?? keep(key, make());
      values.delete(key);
      values.set(key, kept);
      const oldest = values.keys().next();
      if (values.size > size && !oldest.done) values.delete(oldest.value);
      return kept.value;
    },
    known: (key) => values.get(key)?.known,
    forget: (key) => void values.delete(key),
  };
};
