import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { checkCommands, programsOf } from '../../../mcp-server/planning/check-commands.ts';
import { complexity, complexityLine } from '../../../mcp-server/planning/complexity.ts';
import { DIGEST_CHARS, repositoryDigest } from '../../../mcp-server/planning/digest.ts';
import { levelName } from '../../../mcp-server/planning/levels.ts';
import { namedPaths } from '../../../mcp-server/planning/named-paths.ts';
import { rulePlan } from '../../../mcp-server/planning/rule-plan.ts';
import { inOrder } from '../../../mcp-server/planning/steps.ts';

const files = [
  'README.md',
  'package.json',
  'docs/a.md',
  'src/store/a.ts',
  'src/store/b.ts',
  'src/inference/c.ts',
  'test/d.ts',
];
const keys = (task: string, maxSteps = 10): string =>
  rulePlan({ task, files, maxSteps })
    .map((step) => step.key)
    .join(' ');

describe('The plan by rule', () => {
  it('makes a step of each item of a list, with what stands around it', () => {
    const steps = rulePlan({
      task: 'Release 2.0:\n\n- Write notes\n  with examples\n- Raise the version\n* [ ] Then tag it\n\nBe careful.',
      files,
      maxSteps: 10,
    });
    assert.deepEqual(
      steps.map((step) => step.title),
      ['Write notes with examples', 'Raise the version', 'Then tag it'],
    );
    assert.equal(steps[1]?.task, 'Release 2.0:\n\nBe careful.\n\nYour part: Raise the version');
    assert.deepEqual(steps[2]?.needs, ['write-notes-with-examples', 'raise-the-version']);
    assert.equal(keys('1. first thing\n2) second thing'), 'first-thing second-thing');
  });

  it('makes a step of each folder or file that the task names in a row', () => {
    assert.equal(keys('Add tests for store, inference and `docs/`.'), 'store inference docs');
    assert.equal(keys('Mend README.md and src/store/a.ts'), 'readme-md src-store-a-ts');
    assert.equal(keys('Move the types from store and inference').split(' ').length, 1);
    assert.equal(keys('Make it fast, small and quiet').split(' ').length, 1);
  });

  it('makes a step of each top-level folder for a survey, the biggest first', () => {
    const steps = rulePlan({ task: 'Map this repository', files, maxSteps: 10 });
    assert.deepEqual(
      steps.map((step) => step.key),
      ['src', 'files-at-the-top', 'docs', 'test'],
    );
    assert.equal(steps[0]?.task, 'Map this repository\n\nYour part: only the folder src/ (3 files).');
    assert.match(steps[1]?.task ?? '', /the folder \.\/ \(the 2 files at the top/);
    const few = rulePlan({ task: 'Map this repository', files, maxSteps: 2 });
    assert.equal(few.length, 2);
    assert.match(few[1]?.task ?? '', /^Map this repository\n\nDo these 3 parts/);
  });

  it('makes a step of each sentence that asks for something; checking comes after', () => {
    const steps = rulePlan({
      task: 'The parser is old. Rewrite the parser. It fails on tabs. Rename the lexer. Test both of them.',
      files,
      maxSteps: 10,
    });
    assert.deepEqual(
      steps.map((step) => step.task.split('Your part: ')[1]),
      ['Rewrite the parser. It fails on tabs.', 'Rename the lexer.', 'Test both of them.'],
    );
    assert.deepEqual(
      steps.map((step) => step.needs.length),
      [0, 0, 2],
    );
    assert.match(steps[0]?.task ?? '', /^The parser is old\./);
  });

  it('makes a step of each clause behind a colon; the report comes last', () => {
    const steps = rulePlan({
      task: 'Review the literature: search papers, extract key findings, identify gaps, write a report',
      files,
      maxSteps: 10,
    });
    assert.deepEqual(
      steps.map((step) => [step.key, step.needs.length]),
      [
        ['search-papers', 0],
        ['extract-key-findings', 0],
        ['identify-gaps', 0],
        ['write-a-report', 3],
      ],
    );
    assert.equal(
      keys('Note: this is odd, that is odd, and so on'),
      'note-this-is-odd-that-is-odd-and-so-on'.slice(0, 32).replace(/-$/, ''),
    );
  });

  it('leaves any other task whole', () => {
    const task = 'Fix the crash when the file is empty. It happens since Monday.';
    assert.deepEqual(
      rulePlan({ task, files, maxSteps: 10 }).map((step) => step.task),
      [task],
    );
  });

  it('is never empty, never a circle, never too long, whatever the task is', () => {
    const word = fc.constantFrom(
      '- ',
      '\n',
      '1. ',
      'Add ',
      'store',
      ', ',
      ' and ',
      'map ',
      'all ',
      '. ',
      'Test ',
      '(',
      '`',
      'ü',
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(word, fc.string({ maxLength: 5 })), { maxLength: 40 }),
        fc.integer({ min: 1, max: 6 }),
        (words, maxSteps) => {
          const steps = rulePlan({ task: words.join(''), files, maxSteps });
          assert.ok(steps.length >= 1 && steps.length <= maxSteps);
          assert.ok(inOrder(steps));
          assert.equal(new Set(steps.map((step) => step.key)).size, steps.length);
        },
      ),
    );
  });
});

describe('Complexity', () => {
  const many = Array.from({ length: 500 }, (_, n) => `src/m${n % 9}/f${n}.ts`);
  it('is told from the words of the task and the size of the repository', () => {
    for (const [task, level] of [
      ['Fix the typo in README.md', 'atomic'],
      ['Add a flag --quiet. Test it.', 'simple'],
      ['Add a flag.\n- parse it\n- show it\n- document it', 'moderate'],
      ['Map this repository', 'moderate'],
      ['Rename every use of foo to bar', 'moderate'],
      [Array.from({ length: 8 }, (_, n) => `- change number ${n}`).join('\n'), 'complex'],
      ['Migrate the whole code base to TypeScript', 'complex'],
      ['Build a REST API with tests', 'simple'],
      ['Implement OAuth2 authentication with multiple providers', 'moderate'],
      ['Use the new names in src/m1, src/m2/f2.ts, src/m3 and src/m4', 'moderate'],
      ['Migrate the platform: 50 microservices, 100 databases, 500 API endpoints, zero downtime', 'enterprise'],
      [Array.from({ length: 30 }, (_, n) => `- change number ${n}`).join('\n'), 'enterprise'],
    ] as const)
      assert.equal(complexity(task, many).level, level, task);
    assert.equal(complexity('Fix the typo in README.md', many).because, 'one part, 5 words');
    const spread = ['src/store/a.ts', 'src/queue/b.ts', 'docs/a.md', 'web/ui/k.ts'];
    assert.equal(
      complexityLine(complexity('Make store, queue, docs and web/ui use the new names', spread)),
      'complex: 4 components named, touches 3 top-level folders',
    );
  });

  it('is told at once, whatever the task is', () => {
    const huge = Array.from({ length: 20_000 }, (_, n) => `d${n % 50}/e${n % 7}/f${n}.ts`).sort();
    const medians: number[] = [];
    for (const task of [
      'Map this repository',
      'a, '.repeat(5000),
      '- x\n'.repeat(5000),
      'Add a. '.repeat(3000),
      'and '.repeat(5000),
      'a'.repeat(50_000),
      Array.from({ length: 3000 }, (_, n) => `d${n % 50}/e${n % 7}`).join(' '),
      'Do: search a, '.repeat(2000),
    ]) {
      for (let n = 0; n < 5; n += 1) complexity(task, huge);
      const times = Array.from({ length: 5 }, () => {
        const start = performance.now();
        complexity(task, huge);
        return performance.now() - start;
      });
      medians.push(times.sort((a, b) => a - b)[2] ?? 0);
    }
    assert.ok(Math.max(...medians) < 2_000, `${medians.join(' ')} ms: it all but hangs`);
  });

  it('also says what the task counts, whether it leaves the number open, and whether agents are to divide their work', () => {
    const of = (task: string) => {
      const { named, isOpen, asksToDivide } = complexity(task, files);
      return [named, isOpen, asksToDivide];
    };
    assert.deepEqual(of('Fix the typo in README.md'), [0, false, false]);
    assert.deepEqual(of('Rewrite all 200 parts'), [200, true, false]);
    assert.deepEqual(of('Write three chapters and 1,200 tests'), [1200, false, false]);
    assert.deepEqual(of('Add a flag.\n- parse it\n- show it'), [2, false, false]);
    assert.deepEqual(of('Write a page and delegate the rest'), [0, false, true]);
  });
});

describe('The name of a level', () => {
  it('is usual also beyond three, or one of the person as far as there are any', () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6].map((depth) => levelName(depth)),
      ['executive', 'synthesizer', 'worker', 'specialist', 'sub-specialist', 'level 6'],
    );
    assert.deepEqual(
      [1, 2, 3].map((depth) => levelName(depth, ['chief', ' '])),
      ['chief', 'synthesizer', 'worker'],
    );
  });
});

describe('Paths that a task names', () => {
  it('are whole paths, ends of paths, or single folders', () => {
    const found = namedPaths(
      ['store', 'src/store', 'd.ts', 'test', 'src/b.ts', 'tore', 'c.ts', 'inference/c.ts'],
      files,
    );
    assert.deepEqual([...found.keys()].sort(), ['c.ts', 'd.ts', 'inference/c.ts', 'src/store', 'store', 'test']);
    assert.deepEqual([found.get('store')?.isFolder, found.get('c.ts')?.isFolder], [true, false]);
    assert.deepEqual([...(found.get('c.ts')?.tops ?? [])], ['src/']);
    assert.deepEqual([...(namedPaths(['README.md'], files).get('README.md')?.tops ?? [])], ['./']);
  });
});

describe('The commands that check a repository', () => {
  const of = (texts: Record<string, string>) => checkCommands(Object.keys(texts), (path) => texts[path] ?? null);
  it('are read from the files that tell of them', async () => {
    const scripts = JSON.stringify({ scripts: { test: 'rm -rf /', lint: 'x', start: 'y' } });
    assert.deepEqual(await of({ 'package.json': scripts }), ['npm test', 'npm run lint']);
    assert.deepEqual(await of({ 'package.json': scripts, 'pnpm-lock.yaml': '' }), ['pnpm test', 'pnpm lint']);
    assert.deepEqual(await of({ Makefile: 'CHECK := 1\nbuild: x\n\tcc\ntest:\n\t./t\n' }), ['make test', 'make build']);
    assert.deepEqual(await of({ 'pyproject.toml': '[tool.pytest.ini_options]\n[tool.ruff]' }), [
      'pytest',
      'ruff check',
    ]);
    assert.deepEqual(await of({ 'Cargo.toml': '', 'go.mod': '' }), ['cargo test', 'cargo clippy', 'go test ./...']);
    assert.deepEqual(programsOf(['npm test', 'npm run lint', 'pytest']), ['npm', 'pytest']);
  });

  it('are none where the files tell nothing, are broken, or cannot be read', async () => {
    assert.deepEqual(await of({ 'package.json': '{' }), []);
    assert.deepEqual(await of({ 'package.json': 'null', 'sub/package.json': '{"scripts":{"test":"x"}}' }), []);
    const refuses = (): string => {
      throw new Error('too large');
    };
    assert.deepEqual(await checkCommands(['package.json', 'go.mod'], refuses), ['go test ./...']);
  });
});

describe('The digest of a repository', () => {
  it('has a line for each top-level folder, then languages and sizes', () => {
    assert.equal(
      repositoryDigest(files),
      [
        '- ./ (2 files)',
        '- docs/ (1 file)',
        '- src/ (3 files)',
        '- test/ (1 file)',
        'Files: 7. Languages: TypeScript 4, Markdown 2, JSON 1.',
        'Biggest folders inside: src/store/ 2, src/inference/ 1.',
      ].join('\n'),
    );
    assert.equal(repositoryDigest([]), 'The repository has no files.');
    const extras = { commands: ['npm test'], sizeOf: (file: string) => (file.startsWith('src/') ? 700_000 : 1) };
    assert.match(
      repositoryDigest(files, extras),
      /It is checked with: npm test\.[\s\S]*Sizes: src\/ 2\.0 MB, \.\/ 2 B/,
    );
  });

  it('stays small for a huge repository, and says what it leaves out', () => {
    const huge = Array.from(
      { length: 5000 },
      (_, n) => `${'folder'.repeat(20)}${n % 300}/${'inner'.repeat(20)}${n % 40}/file${n}.ts`,
    );
    const digest = repositoryDigest(huge);
    assert.ok(digest.length <= DIGEST_CHARS, String(digest.length));
    assert.match(digest, /240 smaller folders hold \d+ more files/);
    const small = repositoryDigest(huge, { maxTokens: 200 });
    assert.ok(small.length <= 660, String(small.length));
    assert.match(small, /^- folder[\s\S]*smaller folders hold \d+ more files/);
  });
});
