import { invalidRequest, Refused, serverError } from './errors.ts';
import { tokenize } from './tokens.ts';

const DIMENSIONS = 64;
/** The real server's physical batch: what is longer, it does not take. */
const LARGEST = 512;

/**
 * `/v1/embeddings`: each text as a bag of its words, of length 1. Texts with words in common are near each other, and that
 * is all there is to it. Throws Refused as the real server refuses.
 */
export const embeddingsPage = (
  body: Readonly<Record<string, unknown>>,
  model: string,
): Readonly<Record<string, unknown>> => {
  const texts = textsOf(body['input'] ?? body['content']);
  const tokens = texts.map((text) => tokenize(text).length);
  const long = tokens.find((count) => count > LARGEST);
  if (long !== undefined)
    throw new Refused(
      serverError(
        `input (${long} tokens) is too large to process. increase the physical batch size (current batch size: ${LARGEST})`,
      ),
    );
  const used = tokens.reduce((sum, count) => sum + count, 0);
  return {
    model,
    object: 'list',
    usage: { prompt_tokens: used, total_tokens: used },
    data: texts.map((text, index) => ({ embedding: bagOfWords(text), index, object: 'embedding' })),
  };
};

const textsOf = (input: unknown): readonly string[] => {
  if (input === undefined || input === null) throw new Refused(invalidRequest('"input" or "content" must be provided'));
  const texts = (Array.isArray(input) ? input : [input]).map(String);
  if (texts.length === 0) throw new Refused(serverError('"prompt" must not be empty'));
  if (texts.includes('')) throw new Refused(invalidRequest('Input content cannot be empty'));
  return texts;
};

const bagOfWords = (text: string): readonly number[] => {
  const bag = Array.from({ length: DIMENSIONS }, () => 0);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text]) {
    const at = placeOf(word);
    bag[at] = (bag[at] ?? 0) + 1;
  }
  const length = Math.hypot(...bag);
  return bag.map((count) => count / length);
};

/** FNV-1a, so that a word has the same place in every process. */
const placeOf = (word: string): number => {
  let hash = 0x811c9dc5;
  for (const char of word) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash % DIMENSIONS;
};
