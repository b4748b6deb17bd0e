import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { wordsOf } from '../../../mcp-server/skills/words.ts';

const WORDS = wordsOf(`
  review tests code repository changelog release commit message dependency audit research summarize data table image picture
  mail calendar weather translate deploy cluster database query index cache network proxy server client browser form button
  payment invoice ledger budget forecast report chart graph plot map route location photo video music podcast transcript meeting
  agenda task board ticket issue customer support answer question survey poll contract clause license policy privacy security
  token secret password key rotate backup restore archive compress extract convert format parse validate lint schema migrate
  monitor alert log trace metric dashboard incident runbook rollback feature flag experiment hypothesis statistics regression
  cluster segment embed vector retrieve chunk document page slide spreadsheet pdf epub markdown html style color font layout
  icon logo brand slogan story poem recipe travel flight hotel ticket health sleep workout diet garden plant animal climate
  energy battery solar sensor robot drone printer circuit compile assemble link profile benchmark optimize vectorize parallel
`);

/** What costs a search most: words that nobody wrote, beginnings of many words, words of thousands of skills, all at once. */
export const HARD_QUERIES: readonly string[] = [
  'use it when',
  'rev',
  'con',
  'ser re pa co',
  '1',
  'tests',
  'reviwe tset cod',
  'revi summari secu databa',
  'reposotory changlog depandency sumarize tabel imgae',
  'conx prox comx datx tesx revx logx',
  'documentt securityy passwordd invoicee calendarr dashboardd',
  'tests code review repository release message research data image mail server client',
  WORDS.slice(0, 60).join(' '),
  WORDS.slice(0, 40)
    .map((word) => `${word.slice(0, 3)}q${word.slice(3)}`)
    .join(' '),
  'abcdefghijklmnop '.repeat(30),
  'x'.repeat(500),
];

/** A small generator of numbers in [0, 1) that gives the same ones each time. */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
};

/** Writes skills of the usual size into a repository's `.agents/skills`; returns queries that find some of them. */
export const writeManySkills = (repository: string, count: number): readonly string[] => {
  const random = seeded(7);
  // A few words are frequent and most are rare, as in real texts.
  const word = (): string => {
    const at = Math.floor(random() ** 2.5 * WORDS.length * 8);
    return `${WORDS[at % WORDS.length]}${at < WORDS.length ? '' : Math.floor(at / WORDS.length)}`;
  };
  const words = (length: number): string => Array.from({ length }, word).join(' ');
  const queries: string[] = [];
  for (let at = 0; at < count; at += 1) {
    const name = `${word()}-${word()}-${at}`;
    const folder = join(repository, '.agents', 'skills', name);
    mkdirSync(folder, { recursive: true });
    const description = at % 50 === 0 ? `Use when: ${words(12)}` : `${words(14)}. Use it when ${words(6)}.`;
    const body = Array.from({ length: 6 }, () => `## ${words(3)}\n\n${words(60)}\n`).join('\n');
    writeFileSync(
      join(folder, 'SKILL.md'),
      `---\nname: ${name}\ndescription: ${description}\nmetadata:\n  author: ${word()}\n  tags: [${word()}, ${word()}]\n---\n\n# ${words(2)}\n\n${body}`,
    );
    if (at % 10 === 0) writeFileSync(join(folder, 'notes.md'), words(100));
    if (at % Math.ceil(count / 100) === 0)
      queries.push(`${word()} ${word().slice(0, -1)} ${word()}`, words(5), 'fix a bug in the code', 'tests');
  }
  return queries;
};
