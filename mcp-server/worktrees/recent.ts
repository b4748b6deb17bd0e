/** The last values that were asked for. */
export interface Recent<T> {
  /** Each is made once, also when it is asked for twice at the same time; one that fails is made anew. */
  get(key: string, make: () => Promise<T>): Promise<T>;
  forget(key: string): void;
}

/** Remembers `size` values. */
export const createRecent = <T>(size: number): Recent<T> => {
  const values = new Map<string, Promise<T>>();
  return {
    get: (key, make) => {
      const value = values.get(key) ?? make();
      values.delete(key);
      values.set(key, value);
      value.catch(() => values.delete(key));
      const oldest = values.keys().next();
      if (values.size > size && !oldest.done) values.delete(oldest.value);
      return value;
    },
    forget: (key) => void values.delete(key),
  };
};
