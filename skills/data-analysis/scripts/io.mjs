const MOST_STDIN = 4 * 1024 * 1024;

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

const parseRequest = (text) => {
  let request;
  try {
    request = JSON.parse(text);
  } catch {
    throw new BadInput('Standard input is not JSON. Send {"input": {…}, "repository": "/absolute/path"}.');
  }
  if (!isObject(request)) throw new BadInput('Standard input must be one JSON object with "input" and "repository".');
  const { input = {}, repository = null } = request;
  if (!isObject(input)) throw new BadInput('"input" must be an object.');
  if (repository !== null && typeof repository !== 'string') throw new BadInput('"repository" must be a path.');
  return { input, repository };
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
export const onlyKeys = (input, known) => {
  const wrong = Object.keys(input).find((key) => !known.includes(key));
  if (wrong !== undefined)
    throw new BadInput(`There is no input "${wrong.slice(0, 60)}"; there are: ${known.join(', ')}.`);
};

/**
 * Reads the request from standard input, runs `work(input, repository)` and writes one JSON object to standard output:
 * `{ok: true, result}` or `{ok: false, error}`. Never throws.
 */
export const serve = async (work) => {
  let answer;
  try {
    const { input, repository } = parseRequest(await readStdin());
    answer = { ok: true, result: await work(input, repository) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    answer = { ok: false, error: error instanceof BadInput ? message : `The script failed: ${message}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
};
