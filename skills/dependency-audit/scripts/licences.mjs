import { readText } from './files.mjs';

const FREE =
  /^(MIT(-0)?|ISC|0BSD|BSD-[1-4]-Clause.*|BSD|Apache(-2\.0| 2\.0|-1\.1)?|Apache License.*|Unlicense|CC0-1\.0|CC-BY-[34]\.0|Zlib|Python-2\.0(\.\d)?|PSF-2\.0|BlueOak-1\.0\.0|WTFPL|BSL-1\.0|Unicode-.*|X11|PostgreSQL|Artistic-2\.0|NCSA|OFL-1\.1|MIT License|BSD License|PSF.*)$/i;
const WEAK = /^(LGPL|MPL|EPL|CDDL|EUPL)/i;
const STRONG = /^(A?GPL|SSPL|OSL|CC-BY-(NC|SA))|^(BUSL|Elastic|PolyForm|Commons Clause)|proprietary|^UNLICENSED$/i;

const RANKS = ['free', 'unknown', 'weak', 'strong'];

const kindOfOne = (name) => {
  if (STRONG.test(name)) return 'strong';
  if (WEAK.test(name)) return 'weak';
  return FREE.test(name) ? 'free' : 'unknown';
};

const worse = (a, b) => (RANKS.indexOf(a) > RANKS.indexOf(b) ? a : b);
const better = (a, b) => (RANKS.indexOf(a) < RANKS.indexOf(b) ? a : b);

/**
 * What a licence expression asks for: `free` (keep the notice), `weak` (share changes of it), `strong` (share the whole
 * work, or not free at all), `unknown`. Of `A OR B` the easier one counts, of `A AND B` the harder one.
 */
export const kindOfLicence = (expression) => {
  const bare = expression.replace(/[()]/g, ' ').trim();
  const options = bare.split(/\s+OR\s+|\s*\/\s*/i).map((option) => {
    const names = option.split(/\s+AND\s+/i).map((name) => name.trim().replace(/\s+WITH\s+.*$/i, ''));
    return names.map(kindOfOne).reduce(worse, 'free');
  });
  return options.reduce(better);
};

const nameOf = (licence) => {
  if (typeof licence === 'string') return licence.slice(0, 120);
  if (Array.isArray(licence)) return licence.map(nameOf).filter(Boolean).join(' OR ').slice(0, 120);
  return typeof licence?.type === 'string' ? licence.type.slice(0, 120) : null;
};

/** What a package.json or an entry of a lock file says of its licence; null when nothing. */
export const licenceOf = (facts) => nameOf(facts?.license ?? facts?.licenses ?? null) || null;

/** Of a package in node_modules; null when it is not installed or does not say. */
export const installedLicence = (root, folder) => {
  try {
    return licenceOf(JSON.parse(readText(root, `${folder}/package.json`) ?? 'null'));
  } catch {
    return null;
  }
};

/** Of a Python package's METADATA; null when it does not say. */
export const licenceInMetadata = (text) => {
  const head = text.split(/\r?\n\r?\n/, 1)[0] ?? '';
  const expression = /^License-Expression:\s*(.+)$/m.exec(head)?.[1];
  const classifier = /^Classifier: License :: (?:OSI Approved :: )?(.+)$/m.exec(head)?.[1];
  const plain = /^License:\s*(\S.{0,80})$/m.exec(head)?.[1];
  const said = expression ?? classifier ?? plain;
  return said && said !== 'UNKNOWN' ? said.trim() : null;
};
