import { lstatSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { correlationsOf, describeColumn, usesDecimalComma } from './columns.mjs';
import { BadInput, kept, optionalText, serve, wholeNumber } from './io.mjs';
import { guessDelimiter, tableOfDelimited, tableOfJson } from './table.mjs';

const MOST_BYTES = 32 * 1024 * 1024;
const MOST_COLUMNS = 500;

/** Throws BadInput for a path that leaves the repository, is no file, or is reached by a link. */
const readInside = (repository, path) => {
  if (repository === null || !isAbsolute(repository))
    throw new BadInput('The repository must be given as an absolute path.');
  const parts = path.split(/[\\/]+/).filter((part) => part !== '' && part !== '.');
  if (isAbsolute(path) || /^[A-Za-z]:/.test(path) || parts.includes('..') || parts.length === 0)
    throw new BadInput('"path" must lie in the repository, such as data/sales.csv.');
  let at = repository;
  let facts = null;
  for (const part of parts) {
    at = join(at, part);
    facts = factsOf(at, path);
    if (facts.isSymbolicLink()) throw new BadInput(`${path} is reached by a link; give the path of the file itself.`);
  }
  if (!facts.isFile()) throw new BadInput(`${path} is not a file.`);
  if (facts.size > MOST_BYTES) throw new BadInput(`${path} is larger than ${MOST_BYTES / 1024 / 1024} MiB.`);
  return readFileSync(at);
};

const factsOf = (at, path) => {
  try {
    return lstatSync(at);
  } catch {
    throw new BadInput(`There is no file ${path.slice(0, 200)} that may be read.`);
  }
};

const decode = (bytes, path) => {
  if (bytes.includes(0)) throw new BadInput(`${path} is not text (or not UTF-8).`);
  return bytes.toString('utf8');
};

const formatOf = (input, path, text) => {
  const format = optionalText(input, 'format') ?? 'guess';
  if (['csv', 'json'].includes(format)) return format;
  if (format !== 'guess') throw new BadInput('"format" must be "csv" or "json"; it is guessed without it.');
  if (/\.(json|jsonl|ndjson|geojson)$/i.test(path ?? '')) return 'json';
  if (/\.(csv|tsv|tab|psv)$/i.test(path ?? '')) return 'csv';
  return /^\s*[[{]/.test(text) ? 'json' : 'csv';
};

const delimiterOf = (input, text) => {
  const delimiter = optionalText(input, 'delimiter') ?? guessDelimiter(text);
  if ([...delimiter].length === 1 && !/["\r\n]/.test(delimiter)) return delimiter;
  throw new BadInput('"delimiter" must be a single character.');
};

const chosen = (input, table) => {
  const wanted = input['columns'] ?? null;
  if (wanted === null) return table.columns.map((_, index) => index);
  if (!Array.isArray(wanted) || wanted.some((name) => typeof name !== 'string'))
    throw new BadInput('"columns" must be a list of names.');
  return wanted.map((name) => {
    const index = table.columns.indexOf(name);
    if (index < 0)
      throw new BadInput(
        `There is no column "${name.slice(0, 60)}"; there are: ${table.columns.slice(0, 40).join(', ')}.`,
      );
    return index;
  });
};

const countRepeated = (rows) => {
  const seen = new Set();
  for (const row of rows) seen.add(JSON.stringify(row));
  return rows.length - seen.size;
};

const analyse = (input, repository) => {
  const path = optionalText(input, 'path');
  const given = optionalText(input, 'text');
  if ((path === null) === (given === null))
    throw new BadInput('Give either "path" (a file in the repository) or "text".');
  const top = wholeNumber(input, 'top', 5, 0, 50);
  if (![true, false, undefined].includes(input['decimal_comma']))
    throw new BadInput('"decimal_comma" must be true or false.');
  const mostRows = wholeNumber(input, 'max_rows', 200_000, 1, 1_000_000);
  const mostColumns = wholeNumber(input, 'max_columns', 40, 1, MOST_COLUMNS);
  const text = (given ?? decode(readInside(repository, path), path)).replace(/^\uFEFF/, '');
  const isJson = formatOf(input, path, text) === 'json';
  const table = isJson
    ? tableOfJson(text, mostRows, MOST_COLUMNS)
    : tableOfDelimited(text, delimiterOf(input, text), mostRows);
  const options = {
    top,
    decimalComma: input['decimal_comma'] ?? (!isJson && table.format !== 'csv' && usesDecimalComma(table.rows)),
  };
  const indexes = chosen(input, table);
  const shown = indexes.slice(0, mostColumns);
  const columns = shown.map((index) =>
    describeColumn(
      table.columns[index],
      table.rows.map((row) => row[index]),
      options,
    ),
  );
  const picked = table.rows.map((row) => shown.map((index) => row[index]));
  const repeated = countRepeated(table.rows);
  const notes = [
    ...table.notes,
    ...(options.decimalComma ? ['Numbers were read with a decimal comma: 3,5 is three and a half.'] : []),
    ...(repeated > 0 ? [`${repeated} rows are copies of an earlier one.`] : []),
    ...(table.rows.length === 0 ? ['There are no rows.'] : []),
  ];
  const correlations = correlationsOf(columns, picked, options);
  return (share) => {
    const some = columns.slice(0, kept(columns.length, share));
    const left = indexes.length - some.length;
    return {
      source: path ?? 'text',
      format: table.format,
      rows: table.rows.length,
      columnCount: table.columns.length,
      columns: share === 1 ? some : some.map((column) => ({ ...column, top: column.top.slice(0, 3) })),
      correlations: correlations.slice(0, kept(correlations.length, share)),
      notes: left > 0 ? [...notes, `${left} columns are left out; name those you need in "columns".`] : notes,
    };
  };
};

const KEYS = ['path', 'text', 'format', 'delimiter', 'decimal_comma', 'columns', 'top', 'max_rows', 'max_columns'];
await serve(KEYS, analyse);
