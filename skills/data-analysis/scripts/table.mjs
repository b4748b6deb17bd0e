import { BadInput } from './io.mjs';

/** Rows of delimited text as arrays of cells. Quotes, doubled quotes, line ends in quotes and all kinds of line ends are read. */
export function* readDelimited(text, delimiter) {
  let row = [];
  let cell = '';
  let at = 0;
  const closed = () => row.push(cell) > 0 && (row.length > 1 || row[0] !== '');
  while (at < text.length) {
    if (text[at] === '"' && cell === '') {
      const { value, next } = readQuoted(text, at + 1);
      cell = value;
      at = next;
      continue;
    }
    const end = nextSpecial(text, at, delimiter);
    cell += text.slice(at, end);
    at = end;
    if (at >= text.length) break;
    if (text[at] === delimiter) {
      row.push(cell);
    } else {
      if (text[at] === '\r' && text[at + 1] === '\n') at += 1;
      if (closed()) yield row;
      row = [];
    }
    cell = '';
    at += 1;
  }
  if ((cell !== '' || row.length > 0) && closed()) yield row;
}

const readQuoted = (text, start) => {
  let value = '';
  let at = start;
  for (;;) {
    const end = text.indexOf('"', at);
    if (end < 0) return { value: value + text.slice(at), next: text.length };
    value += text.slice(at, end);
    if (text[end + 1] !== '"') return { value, next: end + 1 };
    value += '"';
    at = end + 2;
  }
};

const nextSpecial = (text, start, delimiter) => {
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === delimiter || char === '\n' || char === '\r') return at;
  }
  return text.length;
};

/** The delimiter that cuts the first lines into the same number of cells, more than one; a comma when none does. */
export const guessDelimiter = (text) => {
  const head = text.slice(0, 20_000);
  const complete = head.length < text.length ? head.slice(0, head.lastIndexOf('\n') + 1) : head;
  let best = { delimiter: ',', score: 0 };
  for (const delimiter of [',', ';', '\t', '|']) {
    const lengths = [];
    for (const row of readDelimited(complete, delimiter)) if (lengths.push(row.length) >= 30) break;
    const same = lengths.filter((length) => length === lengths[0]).length / Math.max(1, lengths.length);
    const score = lengths[0] > 1 ? same * 100 + Math.min(lengths[0], 50) : 0;
    if (score > best.score) best = { delimiter, score };
  }
  return best.delimiter;
};

const uniqueNames = (header) => {
  const seen = new Map();
  return header.map((raw, index) => {
    const name = raw.trim() === '' ? `column ${index + 1}` : raw.trim();
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} (${count})`;
  });
};

/**
 * `{format, columns, rows, notes}` of delimited text with a header line; `rows` are arrays of texts. Throws BadInput when
 * there is no header.
 */
export const tableOfDelimited = (text, delimiter, mostRows) => {
  const rows = [];
  let header = null;
  let ragged = 0;
  let cut = false;
  for (const row of readDelimited(text, delimiter)) {
    if (header === null) header = row;
    else if (rows.length >= mostRows) {
      cut = true;
      break;
    } else {
      if (row.length !== header.length) ragged += 1;
      rows.push(row);
    }
  }
  if (header === null) throw new BadInput('There is no line in the data; the first one must name the columns.');
  const columns = uniqueNames(header);
  const numeric = header.filter((name) => name.trim() !== '' && Number.isFinite(Number(name))).length;
  const notes = [
    ...(ragged > 0 ? [`${ragged} rows have more or fewer cells than the header.`] : []),
    ...(columns.some((name, index) => name !== header[index].trim())
      ? ['Some columns have no name, or the same one; they were numbered.']
      : []),
    ...(numeric > header.length / 2 ? ['The first line looks like data, not like names of columns.'] : []),
    ...(cut ? [`Only the first ${mostRows} rows were read.`] : []),
  ];
  const format = { ',': 'csv', '\t': 'tsv' }[delimiter] ?? `text with ${delimiter}`;
  return { format, columns, rows, notes };
};

const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The records of a JSON text: an array, the only array in an object, or one value on each line. */
const recordsOf = (text) => {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    try {
      return { format: 'json lines', records: lines.map((line) => JSON.parse(line)), key: null };
    } catch {
      throw new BadInput(`The data is not JSON: ${error.message.slice(0, 120)}`);
    }
  }
  if (Array.isArray(value)) return { format: 'json', records: value, key: null };
  const arrays = isRecord(value) ? Object.entries(value).filter(([, one]) => Array.isArray(one)) : [];
  if (arrays.length === 1) return { format: 'json', records: arrays[0][1], key: arrays[0][0] };
  if (isRecord(value)) return { format: 'json', records: [value], key: null };
  throw new BadInput('The JSON must be a list of objects, or an object that holds one list.');
};

/** Nested objects become `a.b`; lists stay a single value. */
const flatten = (record, prefix = '', depth = 0) =>
  Object.entries(record).flatMap(([key, value]) => {
    const name = `${prefix}${key}`;
    return isRecord(value) && depth < 4 ? flatten(value, `${name}.`, depth + 1) : [[name, value]];
  });

/** The same as tableOfDelimited, of JSON; `rows` are arrays of JSON values. Throws BadInput when it is no table. */
export const tableOfJson = (text, mostRows, mostColumns) => {
  const { format, records, key } = recordsOf(text);
  const kept = records.slice(0, mostRows).map((one) => new Map(flatten(isRecord(one) ? one : { value: one })));
  const columns = [];
  const known = new Set();
  for (const record of kept)
    for (const name of record.keys()) {
      if (known.has(name) || columns.length >= mostColumns) continue;
      known.add(name);
      columns.push(name);
    }
  const others = records.filter((one) => !isRecord(one)).length;
  const notes = [
    ...(key === null ? [] : [`The rows are the list "${key}".`]),
    ...(others > 0 && others < records.length
      ? [`${others} rows are no objects; they stand in the column "value".`]
      : []),
    ...(records.length > mostRows ? [`Only the first ${mostRows} of ${records.length} rows were read.`] : []),
  ];
  return { format, columns, rows: kept.map((record) => columns.map((name) => record.get(name))), notes };
};
