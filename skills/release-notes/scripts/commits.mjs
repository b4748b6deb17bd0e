import { BadInput } from './io.mjs';

const MOST_COMMITS = 5000;
const MOST_BODY = 20_000;
const HEADER = /^([A-Za-z][\w-]{0,30})(?:\(([^()]{1,60})\))?(!)?:\s+(.+)$/;
const BREAKING = /^BREAKING[ -]CHANGES?:\s*([\s\S]+?)(?=\n\s*\n|\n[A-Za-z-]+(?:: | #)|$(?![\s\S]))/m;
const NOISE =
  /^(merge (branch|pull request|remote|tag|commit)\b|fixup!|squash!|amend!|wip\b|bump version\b|v?\d+\.\d+\.\d+\S*$|release v?\d)/i;

const ALIASES = {
  feature: 'feat',
  features: 'feat',
  bugfix: 'fix',
  hotfix: 'fix',
  doc: 'docs',
  tests: 'test',
  performance: 'perf',
  dep: 'deps',
};
const KNOWN = new Set(
  'feat fix perf refactor docs test build ci chore style revert deps security remove deprecate add change'.split(' '),
);

/** What the first word of a plain subject says, where there is no type. */
const GUESSES = [
  [/\b(CVE-\d|vulnerab|security hole|XSS|injection)\b/i, 'security'],
  [/^(revert)\b/i, 'revert'],
  [/^(fix|fixes|fixed|correct|repair|resolve|prevent|avoid|stop|handle)\b/i, 'fix'],
  [/^(add|adds|added|support|allow|introduce|implement|offer|new|create|enable)\b/i, 'feat'],
  [/^(remove|removes|removed|drop|delete)\b/i, 'remove'],
  [/^(deprecate)\b/i, 'deprecate'],
  [/^(document|docs?|readme|typo)\b/i, 'docs'],
  [/^(test|tests|cover)\b|\btests? of\b|\bin (a|the|some|two) tests?\b/i, 'test'],
  [/^(refactor|rename|move|extract|simplify|clean ?up|tidy|reformat|format|lint)\b/i, 'refactor'],
  [/^(speed|optimi[sz]e|faster|cache)\b/i, 'perf'],
  [/^(bump|upgrade|update dependenc)/i, 'deps'],
  [/^(ci|workflow|pipeline)\b/i, 'ci'],
];

const fromText = (line) => {
  const found = /^([0-9a-f]{7,40})\s+(.+)$/.exec(line);
  return found ? { hash: found[1], subject: found[2] } : { hash: '', subject: line };
};

/** Commits in the output of `git log`, with one commit in a line or in the long form. */
const fromLog = (log) => {
  if (!/^commit [0-9a-f]{7,40}\b/m.test(log))
    return log
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .map(fromText);
  return log
    .split(/^commit (?=[0-9a-f]{7,40}\b)/m)
    .slice(1)
    .map((part) => {
      const [head = '', ...rest] = part.split('\n');
      const author = rest.map((line) => /^Author:\s*(.+?)\s*(?:<.*)?$/.exec(line)?.[1]).find(Boolean) ?? '';
      const date = rest.map((line) => /^Date:\s*(.+)$/.exec(line)?.[1]).find(Boolean) ?? '';
      const message = rest.filter((line) => /^ {4}|^\s*$/.test(line)).map((line) => line.slice(4));
      const text = message.join('\n').trim();
      const [subject = '', ...body] = text.split('\n');
      return { hash: head.trim().split(/\s/)[0], subject, body: body.join('\n').trim(), author, date };
    });
};

const asText = (value, most) => (typeof value === 'string' ? value.trim().slice(0, most) : '');

const fromEntry = (entry) => {
  if (typeof entry === 'string') {
    const [subject, ...body] = entry.trim().split('\n');
    return { ...fromText(subject), body: body.join('\n').trim() };
  }
  if (typeof entry !== 'object' || entry === null)
    throw new BadInput('Each of "commits" must be a text or an object with a "subject".');
  const [subject = '', ...rest] = asText(entry.subject ?? entry.message, MOST_BODY).split('\n');
  const body = [rest.join('\n').trim(), asText(entry.body, MOST_BODY)].filter(Boolean).join('\n');
  return {
    hash: asText(entry.hash ?? entry.sha, 40),
    subject,
    body,
    author: asText(entry.author, 80),
    date: asText(entry.date, 40),
  };
};

const classify = (subject) => {
  const found = HEADER.exec(subject);
  const word = found?.[1].toLowerCase();
  const type = word === undefined ? null : (ALIASES[word] ?? word);
  if (found && KNOWN.has(type))
    return {
      type: (found[2] ?? '').startsWith('deps') ? 'deps' : type,
      scope: found[2] ?? null,
      breaking: found[3] === '!',
      text: found[4],
      guessed: false,
    };
  const guess = GUESSES.find(([pattern]) => pattern.test(subject));
  return { type: guess?.[1] ?? 'change', scope: null, breaking: false, text: subject, guessed: true };
};

const sentence = (text) => {
  const bare = text
    .replace(/\s*\(#\d+\)\s*$/, '')
    .replace(/\.$/, '')
    .trim();
  return `${bare.slice(0, 1).toUpperCase()}${bare.slice(1)}`.slice(0, 300);
};

const toChange = (commit) => {
  const subject = commit.subject.slice(0, 500);
  const { type, scope, breaking, text, guessed } = classify(subject);
  const note =
    BREAKING.exec((commit.body ?? '').slice(0, MOST_BODY))?.[1]
      ?.replace(/\s+/g, ' ')
      .trim() ?? null;
  return {
    hash: (commit.hash ?? '').slice(0, 10),
    type,
    scope,
    text: sentence(text),
    subject,
    breaking: breaking || note !== null,
    breakingNote: note?.slice(0, 500) ?? null,
    request: /\(#(\d+)\)\s*$/.exec(subject)?.[1] ?? null,
    author: commit.author ?? '',
    guessed,
    body: commit.body ?? '',
  };
};

/** The subject or hash that a revert takes back; null: it is no revert. */
const revertedBy = ({ subject, body }) => {
  const quoted = /^(?:revert:?\s+)"?(.+?)"?$/i.exec(subject)?.[1] ?? null;
  if (quoted === null) return null;
  return { subject: quoted, hash: /reverts commit ([0-9a-f]{7,40})/i.exec(body)?.[1]?.slice(0, 10) ?? null };
};

const isSame = (target, change) =>
  (target.hash !== null &&
    change.hash !== '' &&
    (target.hash.startsWith(change.hash) || change.hash.startsWith(target.hash))) ||
  change.subject.replace(/\s*\(#\d+\)$/, '') === target.subject.replace(/\s*\(#\d+\)$/, '');

/** A commit and its revert, both in the range, cancel each other. */
const withoutReverted = (changes, left) => {
  const gone = new Set();
  for (const change of changes) {
    const target = gone.has(change) ? null : revertedBy(change);
    const original =
      target === null
        ? undefined
        : changes.find((other) => other !== change && !gone.has(other) && isSame(target, other));
    if (original === undefined) continue;
    gone.add(change).add(original);
    left.push(
      { subject: original.subject, why: 'was reverted' },
      { subject: change.subject, why: 'reverts a commit of the same range' },
    );
  }
  return changes.filter((change) => !gone.has(change));
};

/**
 * The changes in `input.commits` (texts or objects) or `input.log` (the output of git log), newest first as they were
 * given, without merges, fixups and reverted ones. Throws BadInput when there is neither.
 */
export const readChanges = (input) => {
  const { commits = null, log = null } = input;
  if ((commits === null) === (log === null))
    throw new BadInput('Give either "commits" (a list) or "log" (the output of git log).');
  if (commits !== null && !Array.isArray(commits)) throw new BadInput('"commits" must be a list.');
  if (log !== null && typeof log !== 'string') throw new BadInput('"log" must be text.');
  const all = commits === null ? fromLog(log) : commits.map(fromEntry);
  if (all.length > MOST_COMMITS)
    throw new BadInput(`There are ${all.length} commits; at most ${MOST_COMMITS} are taken. Give a shorter range.`);
  const left = [];
  const seen = new Set();
  const changes = [];
  for (const commit of all) {
    if (commit.subject.trim() === '') continue;
    const change = toChange(commit);
    const key = `${change.type} ${change.scope} ${change.text}`.toLowerCase();
    if (NOISE.test(change.subject)) left.push({ subject: change.subject, why: 'is a merge, a fixup or a release' });
    else if (seen.has(key)) left.push({ subject: change.subject, why: 'says the same as another commit' });
    else changes.push(change);
    seen.add(key);
  }
  return { total: all.length, changes: withoutReverted(changes, left), left };
};
