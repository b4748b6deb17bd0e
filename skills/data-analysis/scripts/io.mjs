const MOST_STDIN = 4 * 1024 * 1024;
/** Characters of a result, where the input does not say it: what an agent of a small model takes in at once. */
const STANDARD_CHARS = 7500;
/** How much of its long lists a result keeps, tried in this order until it is short enough. */
const SHARES = [1, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05, 0.02, 0.01, 0];

/** What is wrong with the input, in words for whoever gave it. */
export class BadInput extends Error {}

const readStdin = async () => {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    bytes += chunk.length;
    if (bytes > MOST_STDIN) throw new BadInput(`The input is larger than ${MOST_STDIN / 1024 / 1024} MiB.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

const parseJson = (text) => {
  try {
    return JSON.parse(text.trim() || 'null') ?? {};
  } catch {
    throw new BadInput('Standard input is not JSON.');
  }
};

/** Standard input is the input alone; the folder to work in is in COPPICE_ROOT. */
const readRequest = (text) => {
  const input = parseJson(text);
  if (!isObject(input)) throw new BadInput('The input must be a JSON object.');
  return { input, repository: process.env['COPPICE_ROOT'] ?? null };
};

/** A whole number out of the input; `standard` when it is not given. Throws BadInput when it is out of bounds. */
export const wholeNumber = (input, key, standard, least, most) => {
  const value = input[key] ?? standard;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new BadInput(`"${key}" must be a whole number from ${least} to ${most}.`);
};

/** A text out of the input; null when it is not given. Throws BadInput when it is no text. */
export const optionalText = (input, key) => {
  const value = input[key] ?? null;
  if (value === null || typeof value === 'string') return value;
  throw new BadInput(`"${key}" must be text.`);
};

/** Throws BadInput when there is a key that the skill does not know, and names those that it knows. */
const checkKeys = (input, known) => {
  const wrong = Object.keys(input).find((key) => !known.includes(key));
  if (wrong === undefined) return;
  throw new BadInput(`There is no input "${wrong.slice(0, 60)}"; there are: ${known.join(', ')}.`);
};

/** How many of `count` things a share keeps: at least one, of what there is. */
export const kept = (count, share) => Math.min(count, Math.max(1, Math.ceil(count * share)));

const fitted = (render, most) => {
  let result = null;
  for (const share of SHARES) {
    result = render(share);
    if (JSON.stringify(result).length <= most) break;
  }
  return result;
};

/**
 * Answers one request. `work(input, repository)` checks and computes; it returns a function from the share of its long
 * lists (0 to 1) to the result, of which the fullest is taken that keeps to `max_chars`. One JSON object goes to standard
 * output: the result, or `{ok: false, error}` with exit code 1. Never throws.
 */
export const serve = async (keys, work) => {
  const known = [...keys, 'max_chars'];
  let answer;
  try {
    const { input, repository } = readRequest(await readStdin());
    checkKeys(input, known);
    const most = wholeNumber(input, 'max_chars', STANDARD_CHARS, 1000, 1_000_000);
    answer = fitted(work(input, repository), most);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    answer = { ok: false, error: error instanceof BadInput ? message : `The script failed: ${message}` };
    process.exitCode = 1;
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
};
