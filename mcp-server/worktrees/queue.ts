/** Runs functions one after the other, in the order of the calls; one that fails does not stop the next. */
export interface Queue {
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** An idle queue. */
export const createQueue = (): Queue => {
  let tail: Promise<unknown> = Promise.resolve();
  return {
    run: (work) => {
      const result = tail.then(work);
      tail = result.catch(() => undefined);
      return result;
    },
  };
};

/** One queue for each key, forgotten when it is idle. */
export const createQueues = (): { run<T>(key: string, work: () => Promise<T>): Promise<T> } => {
  const queues = new Map<string, { queue: Queue; waiting: number }>();
  return {
    run: async (key, work) => {
      const entry = queues.get(key) ?? { queue: createQueue(), waiting: 0 };
      queues.set(key, entry);
      entry.waiting += 1;
      try {
        return await entry.queue.run(work);
      } finally {
        entry.waiting -= 1;
        if (entry.waiting === 0) queues.delete(key);
      }
    },
  };
};
