const VERSION = /^[v=\s]*(\d+)(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

const numberOrNull = (text) => (text === undefined || /[xX*]/.test(text) ? null : Number(text));

/** `{major, minor, patch, pre}`; parts that are not given are null. Null: it is no version. */
const parse = (text) => {
  const found = VERSION.exec(text.trim());
  if (!found) return null;
  const [, major, minor, patch, pre] = found;
  return { major: Number(major), minor: numberOrNull(minor), patch: numberOrNull(patch), pre: pre ?? '' };
};

const comparePre = (a, b) => {
  if (a === b) return 0;
  if (a === '' || b === '') return a === '' ? 1 : -1;
  return a.localeCompare(b, 'en', { numeric: true });
};

const compareParts = (a, b) =>
  a.major - b.major || (a.minor ?? 0) - (b.minor ?? 0) || (a.patch ?? 0) - (b.patch ?? 0) || comparePre(a.pre, b.pre);

/** Negative when `a` is older than `b`; 0 when one of them is no version. */
export const compareVersions = (a, b) => {
  const [left, right] = [parse(a), parse(b)];
  return left && right ? compareParts(left, right) : 0;
};

/** The first number of a version; null when it is none. */
export const majorOf = (version) => parse(version)?.major ?? null;

const above = ({ major, minor, patch }, kind) => {
  const zero = { minor: 0, patch: 0, pre: '' };
  if (kind === 'caret' && major === 0 && minor !== null) {
    if (minor === 0 && patch !== null) return { ...zero, major: 0, patch: patch + 1 };
    return { ...zero, major: 0, minor: minor + 1 };
  }
  if (kind === 'caret' || minor === null) return { ...zero, major: major + 1 };
  return { ...zero, major, minor: minor + 1 };
};

/** One comparator as `{from, to, open}`: from ≤ version < to. Null: it cannot be read. */
const toBounds = (text, standard) => {
  if (/^[*xX]$|^$/.test(text)) return { from: null, to: null };
  const [, operator, rest] = /^(\^|~>?|>=|<=|>|<|==|=)?\s*(.*)$/.exec(text);
  const version = parse(rest);
  if (!version) return null;
  const whole = version.minor !== null && version.patch !== null;
  const next = { ...version, minor: version.minor ?? 0, patch: (version.patch ?? 0) + 1, pre: '' };
  switch (operator ?? (whole || standard === 'caret' ? standard : '~')) {
    case '^':
    case 'caret':
      return { from: version, to: above(version, 'caret') };
    case '~':
    case '~>':
      return { from: version, to: above(version, 'tilde') };
    case '>=':
      return { from: version, to: null };
    case '>':
      return whole ? { from: version, to: null, open: true } : { from: above(version, 'tilde'), to: null };
    case '<':
      return { from: null, to: version };
    case '<=':
      return { from: null, to: whole ? next : above(version, 'tilde') };
    default:
      return whole ? { from: version, to: null, exact: true } : { from: version, to: above(version, 'tilde') };
  }
};

const within = (version, bounds) => {
  if (bounds.exact) return compareParts(version, bounds.from) === 0;
  if (bounds.from && compareParts(version, bounds.from) < (bounds.open ? 1 : 0)) return false;
  return !bounds.to || compareParts(version, bounds.to) < 0;
};

const alternatives = (range, standard) =>
  range.split('||').map((part) => {
    const text = part.trim().replace(/^(\S+)\s+-\s+(\S+)$/, '>=$1 <=$2');
    const words = text.replace(/(\^|~>?|>=|<=|>|<|==|=)\s+/g, '$1').split(/[\s,]+/);
    return words.map((word) => toBounds(word, standard));
  });

/**
 * Whether a range of npm or Cargo admits a version; null when the range or the version cannot be read. A bare `1.2.3` is
 * exact with `standard` 'exact' (npm), and `^1.2.3` with 'caret' (Cargo).
 */
export const admits = (range, version, standard) => {
  const parsed = parse(version);
  const parts = alternatives(range, standard);
  if (!parsed || parts.some((bounds) => bounds.includes(null))) return null;
  return parts.some((bounds) => bounds.every((one) => within(parsed, one)));
};

/** Whether a range lets any newer version in, whatever it breaks: `*`, `>=1`, `latest`. */
export const isUnbounded = (range) => {
  if (/^(latest|next|\*|x|)$/i.test(range.trim())) return true;
  const parts = alternatives(range, 'exact');
  if (parts.some((bounds) => bounds.includes(null))) return false;
  return parts.some((bounds) => bounds.every(({ to, exact }) => !to && !exact));
};
