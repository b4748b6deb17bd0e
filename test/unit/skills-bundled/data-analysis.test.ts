import assert from 'node:assert/strict';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { complaintOf, folderWith, manifestOf, runBundled } from './run-bundled.ts';

interface Column {
  readonly name: string;
  readonly type: string;
  readonly present: number;
  readonly missing: number;
  readonly distinct: number;
  readonly min?: number | string;
  readonly max?: number | string;
  readonly mean?: number;
  readonly median?: number;
  readonly deviation?: number | null;
  readonly quantiles?: Record<string, number>;
  readonly outliers?: number;
  readonly longest?: number;
  readonly top: readonly { readonly value: string; readonly count: number }[];
  readonly warnings: readonly string[];
}
interface Analysis {
  readonly format: string;
  readonly rows: number;
  readonly columnCount: number;
  readonly columns: readonly Column[];
  readonly correlations: readonly {
    readonly a: string;
    readonly b: string;
    readonly r: number;
    readonly rows: number;
  }[];
  readonly notes: readonly string[];
}

const analyse = (input: object, repository: string | null = null): Analysis => {
  const result = runBundled('data-analysis', input, repository) as Analysis;
  z.fromJSONSchema(manifestOf('data-analysis').manifest.output as never).parse(result);
  return result;
};
const typesOf = (analysis: Analysis): readonly string[] => analysis.columns.map(({ type }) => type);

describe('the script of data-analysis', () => {
  it('describes numbers: least, greatest, mean, median, spread, quantiles, values far away', () => {
    const { columns, rows } = analyse({ text: `n\n${[1, 2, 3, 4, 5, 6, 7, 8, 9, 1000].join('\n')}\n` });
    const [column] = columns;
    assert.equal(rows, 10);
    assert.deepEqual(
      [column?.type, column?.min, column?.max, column?.mean, column?.median, column?.outliers],
      ['number', 1, 1000, 104.5, 5.5, 1],
    );
    assert.deepEqual(column?.quantiles, { p05: 1.45, p25: 3.25, p75: 7.75, p95: 554.05 });
    assert.equal(column?.deviation, 314.65722);
    assert.deepEqual(column?.warnings, ['1 values are far from the rest']);
  });

  it('reads quotes, delimiters in quotes, line ends in quotes, empty lines, and a byte order mark', () => {
    const text = '\uFEFFname,"say ""hi""",note\r\nAnn,"a,b","line 1\nline 2"\r\n\r\nBob,,"last"';
    const { columns, rows, format } = analyse({ text });
    assert.deepEqual([rows, format], [2, 'csv']);
    assert.deepEqual(
      columns.map(({ name }) => name),
      ['name', 'say "hi"', 'note'],
    );
    assert.deepEqual([columns[1]?.missing, columns[2]?.longest], [1, 13]);
  });

  it('tells numbers, dates, truths, texts and codes apart, and counts what is missing', () => {
    const text = [
      'money,when,active,town,zip,mix,none',
      '"$1,200.50",2024-01-02,yes,Bonn,01234,1,',
      '-7,2024-02-30T10:00:00Z,no,Köln,99999,a,NA',
      '12 %,2023-12-31,YES,Bonn,50667,2,null',
      'n/a,-,,,04109,b,',
    ].join('\n');
    const result = analyse({ text });
    assert.deepEqual(typesOf(result), ['number', 'date', 'boolean', 'text', 'text', 'mixed', 'empty']);
    const [money, when, , town] = result.columns;
    assert.deepEqual([money?.min, money?.max, money?.missing], [-7, 1200.5, 1]);
    assert.deepEqual([when?.min, when?.max, when?.present], ['2023-12-31', '2024-02-30T10:00:00Z', 3]);
    assert.deepEqual(town?.top, [
      { value: 'Bonn', count: 2 },
      { value: 'Köln', count: 1 },
    ]);
    assert.deepEqual(town?.warnings, ['25 % are missing']);
    assert.match(result.columns[5]?.warnings.join() ?? '', /different kinds: 2 number, 2 text/);
  });

  it('finds the delimiter, and the decimal comma that goes with it', () => {
    const semicolons = analyse({ text: 'a;b\n1,5;x\n2,25;y\n"1.000,5";z\n' });
    assert.deepEqual([semicolons.columns[0]?.max, semicolons.columns[0]?.median], [1000.5, 2.25]);
    assert.match(semicolons.notes.join(), /decimal comma/);
    assert.deepEqual(typesOf(analyse({ text: 'a\tb\n1.5\t2\n' })), ['number', 'number']);
    assert.deepEqual(typesOf(analyse({ text: 'a|b\n1.5|2\n' })), ['number', 'number']);
    assert.equal(analyse({ text: 'a;b\n1,234;2\n', decimal_comma: false }).columns[0]?.max, 1234);
    assert.equal(analyse({ text: 'only\n1\n2\n' }).columnCount, 1);
    assert.equal(analyse({ text: 'a:b\n1:2\n', delimiter: ':' }).columnCount, 2);
  });

  it('reads JSON lists, a list in an object, nested objects and JSON lines', () => {
    const rows = [
      { id: 1, user: { name: 'Ann', tags: ['x'] }, ok: true },
      { id: 2, user: { name: null }, ok: false },
    ];
    const list = analyse({ text: JSON.stringify(rows) });
    assert.deepEqual(
      list.columns.map(({ name, type }) => `${name} ${type}`),
      ['id number', 'user.name text', 'user.tags list', 'ok boolean'],
    );
    assert.equal(list.columns[1]?.missing, 1);
    const inside = analyse({ text: JSON.stringify({ total: 2, items: rows }) });
    assert.deepEqual([inside.rows, inside.notes], [2, ['The rows are the list "items".']]);
    const lines = analyse({ text: rows.map((row) => JSON.stringify(row)).join('\n') });
    assert.deepEqual([lines.format, lines.rows], ['json lines', 2]);
    assert.deepEqual(
      analyse({ text: '[1, 2, 3]' }).columns.map(({ name, mean }) => [name, mean]),
      [['value', 2]],
    );
  });

  it('warns of bad data: ragged rows, copies, doubled and missing names, no header', () => {
    const { notes, columns } = analyse({ text: 'a,a,\n1,2,3\n1,2,3\n4,5\n' });
    assert.deepEqual(
      columns.map(({ name }) => name),
      ['a', 'a (2)', 'column 3'],
    );
    for (const part of [/1 rows have more or fewer/, /1 rows are copies/, /no name, or the same/])
      assert.match(notes.join(), part);
    assert.match(analyse({ text: '1,2\n3,4\n' }).notes.join(), /looks like data/);
    assert.deepEqual(analyse({ text: 'a,b\n' }).notes, ['There are no rows.']);
    const same = analyse({ text: `c,id\n${Array.from({ length: 30 }, (_, n) => `x,key-${n}`).join('\n')}` });
    assert.deepEqual(same.columns[0]?.warnings, ['always the same value']);
    assert.match(same.columns[1]?.warnings.join() ?? '', /perhaps an identifier/);
  });

  it('finds columns that go together', () => {
    const lines = Array.from({ length: 40 }, (_, n) => `${n},${-2 * n + 1},${(n * 7919) % 13}`);
    const { correlations } = analyse({ text: `a,b,c\n${lines.join('\n')}` });
    assert.deepEqual(correlations, [{ a: 'a', b: 'b', r: -1, rows: 40 }]);
  });

  it('shows only some columns, rows and values when asked, and keeps to its bounds', () => {
    const wide = Array.from({ length: 200 }, (_, n) => `c${n}`);
    const text = `${wide.join(',')}\n${wide.map((_, n) => n).join(',')}\n`;
    const { columns, columnCount, notes } = analyse({ text, max_chars: 4000 });
    assert.equal(columnCount, 200);
    assert.ok(columns.length > 0 && columns.length < 40);
    assert.match(notes.join(), new RegExp(`${200 - columns.length} columns are left out`));
    assert.deepEqual(
      analyse({ text, columns: ['c7', 'c3'] }).columns.map(({ name, max }) => [name, max]),
      [
        ['c7', 7],
        ['c3', 3],
      ],
    );
    assert.match(analyse({ text: 'a\n1\n2\n3\n', max_rows: 2 }).notes.join(), /Only the first 2 rows/);
    assert.equal(analyse({ text: 'a\nx\nx\ny\ny\nz\n', top: 1 }).columns[0]?.top.length, 1);
  });

  it('copes with a hundred thousand rows in seconds', () => {
    const lines = Array.from({ length: 100_000 }, (_, n) => `${n},${n % 7},k${n % 3}`);
    const root = folderWith({ 'big.csv': `id,n,k\n${lines.join('\n')}\n` });
    const { rows, columns } = analyse({ path: 'big.csv' }, root);
    assert.equal(rows, 100_000);
    assert.deepEqual([columns[1]?.mean, columns[2]?.distinct], [2.99995, 3]);
    rmSync(root, { recursive: true });
  });

  it('reads a file of its own repository', () => {
    const own = fileURLToPath(new URL('../../../', import.meta.url));
    const { columns, format } = analyse({ path: 'package.json' }, own);
    assert.equal(format, 'json');
    assert.ok(columns.length > 0);
  });

  it('never leaves the repository, and says what is wrong with its input', () => {
    const root = folderWith({ 'data/a.csv': 'a\n1\n', 'bin.csv': 'a\0b' });
    symlinkSync(join(root, 'data/a.csv'), join(root, 'link.csv'));
    symlinkSync(join(root, 'data'), join(root, 'folder'));
    const complaint = (input: object): string => complaintOf('data-analysis', input, root);
    for (const path of ['../a.csv', '/etc/passwd', 'data/../../a.csv', 'C:\\a.csv', '.'])
      assert.match(complaint({ path }), /must lie in the repository/, path);
    assert.match(complaint({ path: 'link.csv' }), /reached by a link/);
    assert.match(complaint({ path: 'folder/a.csv' }), /reached by a link/);
    assert.match(complaint({ path: 'data' }), /is not a file/);
    assert.match(complaint({ path: 'none.csv' }), /There is no file none.csv/);
    assert.match(complaint({ path: 'bin.csv' }), /not text/);
    assert.match(complaint({}), /Give either "path"/);
    assert.match(complaint({ path: 'data/a.csv', text: 'a' }), /Give either "path"/);
    assert.match(complaint({ path: 'data/a.csv', columns: ['b'] }), /no column "b"; there are: a/);
    assert.match(complaint({ text: '', format: 'csv' }), /first one must name the columns/);
    assert.match(complaint({ text: '{"a":', format: 'json' }), /is not JSON/);
    assert.match(complaint({ text: '3', format: 'json' }), /must be a list of objects/);
    assert.match(complaint({ text: 'a', delimiter: ',,' }), /single character/);
    assert.match(complaint({ text: 'a', format: 'xls' }), /"format" must be/);
    rmSync(root, { recursive: true });
  });
});
