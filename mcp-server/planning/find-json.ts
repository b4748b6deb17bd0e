const MOST_CHARS = 200_000;
const MOST_TRIES = 200;

/** Index after the bracket that closes the one at `start`, or -1. Knows strings. */
const closing = (text: string, start: number): number => {
  let depth = 0;
  let inString = false;
  for (let i = start; i < text.length; i += 1) {
    const char = text[i];
    if (inString) {
      if (char === '\\') i += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  return -1;
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The JSON objects and arrays in a model's text, in order, whatever stands around them: reasoning, code fences, prose. */
export const findJson = (text: string): readonly unknown[] => {
  const source = text.slice(0, MOST_CHARS);
  const whole = parse(source.trim());
  if (whole !== undefined) return [whole];
  const found: unknown[] = [];
  let tries = 0;
  for (let i = 0; i < source.length && tries < MOST_TRIES; i += 1) {
    if (source[i] !== '{' && source[i] !== '[') continue;
    tries += 1;
    const end = closing(source, i);
    const value = end < 0 ? undefined : parse(source.slice(i, end));
    if (value === undefined) continue;
    found.push(value);
    i = end - 1;
  }
  return found;
};
