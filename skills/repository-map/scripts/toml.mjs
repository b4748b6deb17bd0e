/** Most characters of one value; longer ones are cut off. */
const MOST_VALUE = 20_000;

/** Index of the first character outside of quotes for which `test` holds; -1 when there is none. */
const indexOutside = (text, test) => {
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quote !== '') {
      if (char === '\\' && quote === '"') i++;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (test(char, i)) return i;
  }
  return -1;
};

const withoutComment = (line) => {
  const at = indexOutside(line, (char) => char === '#');
  return at < 0 ? line : line.slice(0, at);
};

/** Opened but not yet closed brackets outside of quotes. */
const openBrackets = (text) => {
  let depth = 0;
  indexOutside(text, (char) => {
    if (char === '[' || char === '{') depth++;
    if (char === ']' || char === '}') depth--;
    return false;
  });
  return depth;
};

const splitOutside = (text) => {
  const parts = [];
  let depth = 0;
  let start = 0;
  indexOutside(text, (char, at) => {
    if (char === '[' || char === '{') depth++;
    if (char === ']' || char === '}') depth--;
    if (char === ',' && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
    return false;
  });
  parts.push(text.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
};

const unquote = (text) => text.trim().replace(/^(["'])(.*)\1$/s, '$2');

const keyAndValue = (text) => {
  const at = indexOutside(text, (char) => char === '=');
  return at < 0 ? null : [unquote(text.slice(0, at)), text.slice(at + 1).trim()];
};

/** A value as text, an array of values, or an object of values. */
const readValue = (text) => {
  if (text.startsWith('[')) return splitOutside(text.slice(1, text.lastIndexOf(']'))).map(readValue);
  if (!text.startsWith('{')) return unquote(text);
  const pairs = splitOutside(text.slice(1, text.lastIndexOf('}'))).map(keyAndValue);
  return Object.fromEntries(pairs.filter((pair) => pair !== null).map(([key, value]) => [key, readValue(value)]));
};

/**
 * The entries of a TOML file: `{section, key, value, line}`, with the section as it is written and lines from 1. It reads
 * what manifests use; strings over several lines are skipped.
 */
export const readToml = (text) => {
  const entries = [];
  let section = '';
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const line = withoutComment(lines[i]).trim();
    const header = /^\[\[?\s*(.+?)\s*\]\]?$/.exec(line);
    if (header) {
      section = header[1];
      if (line.startsWith('[[')) entries.push({ section, key: '', value: '', line: i + 1 });
      continue;
    }
    const pair = keyAndValue(line);
    if (pair === null) continue;
    const start = i;
    const long = /^("""|''')/.exec(pair[1])?.[1];
    if (long !== undefined) {
      if (pair[1].indexOf(long, 3) < 0) while (++i < lines.length && !lines[i].includes(long));
      continue;
    }
    let value = pair[1];
    while (openBrackets(value) > 0 && i + 1 < lines.length && value.length < MOST_VALUE)
      value += ` ${withoutComment(lines[++i]).trim()}`;
    entries.push({ section, key: pair[0], value: readValue(value), line: start + 1 });
  }
  return entries;
};
