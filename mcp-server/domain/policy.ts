import type { Random } from './ids.ts';
import { PRIORITIES, type Priority } from './job.ts';

/** A job that has waited this much longer than another outranks one class of priority. */
export const AGEING_MS = 300_000;
/** Jobs of one class that were queued within this time of each other count as equally old. */
export const AGE_BUCKET_MS = 2_000;

/** The highest urgency, and the lowest below zero; what is beyond counts as that. */
export const MOST_URGENCY = 10;
/** The most and the least urgent of one class are not as far apart as two classes. */
const URGENCY_MS = AGEING_MS / (2 * MOST_URGENCY + 1);

/** Lower goes first. Constant from the moment a job is queued, so that an index can order by it, and yet it ages. */
export const orderKey = (priority: Priority, queuedAt: number, urgency = 0): number => {
  const pressing = Math.max(-MOST_URGENCY, Math.min(MOST_URGENCY, urgency)) * URGENCY_MS;
  return Math.floor((queuedAt - pressing + PRIORITIES.indexOf(priority) * AGEING_MS) / AGE_BUCKET_MS);
};

/** How long a claim holds a job unless it is renewed, ms. */
export const LEASE_MS = 60_000;

/** Attempts after which a job is parked. */
export const MAX_ATTEMPTS = 6;

/** Exponential back-off with full jitter, ms: at most 0.5, 1, 2, 4 … seconds, 60 at the most. */
export const retryDelayMs = (attempt: number, random: Random): number =>
  Math.round(Math.min(500 * 2 ** Math.max(0, attempt - 1), 60_000) * (0.5 + random() / 2));
