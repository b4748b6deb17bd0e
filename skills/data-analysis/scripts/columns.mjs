const MISSING = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', 'nil', '-', '--', '?', '#n/a']);
const TRUE_OR_FALSE = new Set(['true', 'false', 'yes', 'no']);
const DATE = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
const NUMBER = /^[+-]?(\d{1,3}(,\d{3})+|\d+|\d*\.\d+|\d+\.\d*)(\.\d+)?(e[+-]?\d+)?%?$/i;
const COMMA_NUMBER = /^[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+$/;
const MOST_DISTINCT = 50_000;
const LONGEST_SHOWN = 60;

const isMissing = (value) =>
  value === undefined || value === null || (typeof value === 'string' && MISSING.has(value.trim().toLowerCase()));

/** A number as people write it (`1,234.5`, `12 %`, `3,5` with `decimalComma`); NaN when it is none. */
const toNumber = (value, decimalComma) => {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return Number.NaN;
  const text = value.trim().replace(/^[$€£]\s?|\s(?=%$)/g, '');
  if (decimalComma && COMMA_NUMBER.test(text)) return Number(text.replaceAll('.', '').replace(',', '.'));
  if (!NUMBER.test(text)) return Number.NaN;
  return Number(text.replaceAll(',', '').replace(/%$/, ''));
};

const kindOf = (value, decimalComma) => {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'object') return 'list';
  if (typeof value === 'number') return 'number';
  const text = value.trim();
  if (TRUE_OR_FALSE.has(text.toLowerCase())) return 'boolean';
  if (DATE.test(text)) return 'date';
  if (/^0\d+$/.test(text)) return 'code';
  return Number.isNaN(toNumber(text, decimalComma)) ? 'text' : 'number';
};

const rounded = (value) => (Number.isInteger(value) ? value : Number(value.toPrecision(8)));

/** Linear interpolation between the two nearest of the sorted values. */
const quantile = (sorted, share) => {
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const low = sorted[below];
  const high = sorted[Math.min(below + 1, sorted.length - 1)];
  return low + (high - low) * (place - below);
};

const numberFacts = (numbers) => {
  const sorted = Float64Array.from(numbers).sort();
  let mean = 0;
  let spread = 0;
  let count = 0;
  for (const value of sorted) {
    count += 1;
    const step = value - mean;
    mean += step / count;
    spread += step * (value - mean);
  }
  const [q1, median, q3] = [0.25, 0.5, 0.75].map((share) => quantile(sorted, share));
  const reach = 1.5 * (q3 - q1);
  return {
    min: rounded(sorted[0]),
    max: rounded(sorted.at(-1)),
    mean: rounded(mean),
    median: rounded(median),
    deviation: count > 1 ? rounded(Math.sqrt(spread / (count - 1))) : null,
    quantiles: {
      p05: rounded(quantile(sorted, 0.05)),
      p25: rounded(q1),
      p75: rounded(q3),
      p95: rounded(quantile(sorted, 0.95)),
    },
    zeros: numbers.filter((value) => value === 0).length,
    negative: numbers.filter((value) => value < 0).length,
    outliers: numbers.filter((value) => value < q1 - reach || value > q3 + reach).length,
  };
};

const textFacts = (texts) => {
  const lengths = texts.map((text) => text.length);
  return { shortest: lengths.reduce((a, b) => Math.min(a, b)), longest: lengths.reduce((a, b) => Math.max(a, b)) };
};

const dateFacts = (texts) => {
  const sorted = texts.map((text) => text.trim()).sort();
  return { min: sorted[0], max: sorted.at(-1) };
};

const shown = (value) => (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, LONGEST_SHOWN);

const countDistinct = (values) => {
  const counts = new Map();
  let complete = true;
  for (const value of values) {
    const key = typeof value === 'string' ? value.trim() : JSON.stringify(value);
    if (counts.has(key) || counts.size < MOST_DISTINCT) counts.set(key, (counts.get(key) ?? 0) + 1);
    else complete = false;
  }
  return { counts, complete };
};

/** How many values of each kind there are. Digits with a leading zero are no number but a code, and so are those beside it. */
const countKinds = (values, decimalComma) => {
  const kinds = new Map();
  for (const value of values) {
    const kind = kindOf(value, decimalComma);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const codes = kinds.get('code') ?? 0;
  if (codes === 0) return kinds;
  const isCode = codes >= values.length * 0.05 && !values.some((value) => /[.,]/.test(String(value)));
  const numbers = isCode ? (kinds.get('number') ?? 0) : 0;
  kinds.set('text', (kinds.get('text') ?? 0) + codes + numbers);
  kinds.delete('code');
  if (isCode) kinds.delete('number');
  return kinds;
};

/** The kind of at least 95 % of the values; `mixed` when there is none. */
const typeOf = (kinds, count) => {
  const [best] = [...kinds].sort((a, b) => b[1] - a[1]);
  return best !== undefined && best[1] >= count * 0.95 ? best[0] : 'mixed';
};

const factsOf = (type, present, decimalComma) => {
  if (type === 'number') {
    const numbers = present.map((value) => toNumber(value, decimalComma)).filter((value) => Number.isFinite(value));
    return numbers.length > 0 ? numberFacts(numbers) : {};
  }
  if (type === 'date')
    return dateFacts(present.filter((value) => typeof value === 'string' && DATE.test(value.trim())));
  return type === 'text' ? textFacts(present.map(shownWhole)) : {};
};

const shownWhole = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

const warningsOf = (column, kinds, values) => {
  const { type, present, missing, distinct } = column;
  const odd = type === 'mixed' ? [...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ') : null;
  const others = [...kinds].filter(([kind]) => kind !== type).reduce((sum, [, count]) => sum + count, 0);
  return [
    ...(odd ? [`holds different kinds: ${odd}`] : []),
    ...(odd === null && others > 0 ? [`${others} values are no ${type}`] : []),
    ...(values.length > 0 && missing / values.length >= 0.2
      ? [`${Math.round((missing * 100) / values.length)} % are missing`]
      : []),
    ...(present > 1 && distinct === 1 ? ['always the same value'] : []),
    ...(type === 'text' && present > 20 && distinct === present
      ? ['every value is different: perhaps an identifier']
      : []),
    ...(column.outliers > 0 ? [`${column.outliers} values are far from the rest`] : []),
  ];
};

/**
 * What one column holds: its type (`number`, `date`, `boolean`, `text`, `list`, `mixed`, `empty`), how many values are
 * missing, and the facts that fit the type. `values` are texts or JSON values.
 */
export const describeColumn = (name, values, options) => {
  const present = values.filter((value) => !isMissing(value));
  const kinds = countKinds(present, options.decimalComma);
  const type = present.length === 0 ? 'empty' : typeOf(kinds, present.length);
  const { counts, complete } = countDistinct(present);
  const column = {
    name: name.slice(0, 120),
    type,
    present: present.length,
    missing: values.length - present.length,
    distinct: counts.size,
    ...factsOf(type, present, options.decimalComma),
  };
  const repeated = [...counts].filter(([, count]) => count > 1);
  const few = counts.size <= options.top && repeated.length > 0;
  const ranked = (few ? [...counts] : repeated).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const warnings = warningsOf(column, kinds, values);
  if (!complete) warnings.push(`more than ${MOST_DISTINCT} different values; the rest is not counted`);
  return {
    ...column,
    top: ranked.slice(0, options.top).map(([value, count]) => ({ value: shown(value), count })),
    warnings,
  };
};

/** Pearson's r of pairs of number columns, strongest first; only |r| ≥ 0.3, of at least 10 rows. */
export const correlationsOf = (columns, rows, options) => {
  const numeric = columns
    .map(({ type }, index) => (type === 'number' ? index : -1))
    .filter((index) => index >= 0)
    .slice(0, 20);
  const values = new Map(
    numeric.map((index) => [
      index,
      rows.map((row) => (isMissing(row[index]) ? Number.NaN : toNumber(row[index], options.decimalComma))),
    ]),
  );
  const found = [];
  for (const [at, a] of numeric.entries())
    for (const b of numeric.slice(at + 1)) {
      const { r, count } = pearson(values.get(a), values.get(b));
      if (count >= 10 && Math.abs(r) >= 0.3)
        found.push({ a: columns[a].name, b: columns[b].name, r: Math.round(r * 100) / 100, rows: count });
    }
  return found.sort((x, y) => Math.abs(y.r) - Math.abs(x.r)).slice(0, 10);
};

const pearson = (left, right) => {
  let count = 0;
  let [meanX, meanY, xx, yy, xy] = [0, 0, 0, 0, 0];
  for (const [index, x] of left.entries()) {
    const y = right[index];
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    count += 1;
    const [stepX, stepY] = [x - meanX, y - meanY];
    meanX += stepX / count;
    meanY += stepY / count;
    xx += stepX * (x - meanX);
    yy += stepY * (y - meanY);
    xy += stepX * (y - meanY);
  }
  return { r: xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : 0, count };
};

/** Whether numbers are written with a decimal comma in these rows of texts: some are, and none has a decimal point. */
export const usesDecimalComma = (rows) => {
  let found = false;
  for (const row of rows.slice(0, 1000))
    for (const cell of row) {
      if (typeof cell !== 'string') return false;
      if (/^[+-]?\d+\.\d+$/.test(cell.trim())) return false;
      found ||= /^[+-]?\d+(\.\d{3})*,\d+$/.test(cell.trim());
    }
  return found;
};
