/** Reads a file of the repository; null when there is none. It may throw for a file that cannot be read as text. */
export type ReadText = (path: string) => Promise<string | null> | string | null;

/** Longer files are not looked into. */
const MOST_CHARS = 200_000;
const MOST_COMMANDS = 8;
/** Names of scripts and targets that check a repository, most telling first. */
const CHECKS = ['test', 'check', 'tests', 'lint', 'typecheck', 'type-check', 'build', 'e2e'] as const;

interface Source {
  readonly file: string;
  commands(text: string, files: ReadonlySet<string>): readonly string[];
}

/** What is in the `scripts` of a package.json, in the words of the package manager whose lock file lies beside it. */
const packageScripts = (text: string, files: ReadonlySet<string>): readonly string[] => {
  const parsed: unknown = JSON.parse(text);
  const scripts = typeof parsed === 'object' && parsed !== null && 'scripts' in parsed ? parsed.scripts : null;
  if (typeof scripts !== 'object' || scripts === null) return [];
  const run = files.has('pnpm-lock.yaml')
    ? 'pnpm'
    : files.has('yarn.lock')
      ? 'yarn'
      : files.has('bun.lock') || files.has('bun.lockb')
        ? 'bun run'
        : 'npm run';
  return CHECKS.filter((name) => Object.hasOwn(scripts, name)).map((name) =>
    name === 'test' && run === 'npm run' ? 'npm test' : `${run} ${name}`,
  );
};

const targets =
  (program: string) =>
  (text: string): readonly string[] =>
    CHECKS.filter((name) => new RegExp(`^${name}\\b[^=\\n]*:(?!=)`, 'm').test(text)).map(
      (name) => `${program} ${name}`,
    );

const denoTasks = (text: string): readonly string[] =>
  CHECKS.filter((name) => new RegExp(`"${name}"\\s*:`).test(text)).map((name) => `deno task ${name}`);

const pyproject = (text: string): readonly string[] => [
  ...(/pytest/.test(text) ? ['pytest'] : []),
  ...(/\[tool\.ruff/.test(text) ? ['ruff check'] : []),
  ...(/\[tool\.mypy/.test(text) ? ['mypy .'] : []),
];

const always =
  (...commands: readonly string[]) =>
  (): readonly string[] =>
    commands;

const SOURCES: readonly Source[] = [
  { file: 'package.json', commands: packageScripts },
  { file: 'deno.json', commands: denoTasks },
  { file: 'pyproject.toml', commands: pyproject },
  { file: 'tox.ini', commands: always('tox') },
  { file: 'noxfile.py', commands: always('nox') },
  { file: 'pytest.ini', commands: always('pytest') },
  { file: 'Cargo.toml', commands: always('cargo test', 'cargo clippy') },
  { file: 'go.mod', commands: always('go test ./...') },
  { file: 'pom.xml', commands: always('mvn test') },
  { file: 'build.gradle', commands: always('./gradlew test') },
  { file: 'build.gradle.kts', commands: always('./gradlew test') },
  { file: 'mix.exs', commands: always('mix test') },
  { file: 'Package.swift', commands: always('swift test') },
  { file: 'composer.json', commands: (text) => (/"test"\s*:/.test(text) ? ['composer test'] : []) },
  { file: 'Rakefile', commands: always('rake') },
  { file: '.rspec', commands: always('rspec') },
  { file: 'CMakeLists.txt', commands: (text) => (/enable_testing|add_test/.test(text) ? ['ctest'] : []) },
  { file: 'Makefile', commands: targets('make') },
  { file: 'justfile', commands: targets('just') },
];

const textOf = async (read: ReadText | undefined, file: string): Promise<string> => {
  try {
    const text = await read?.(file);
    return text && text.length <= MOST_CHARS ? text : '';
  } catch {
    return '';
  }
};

const commandsIn = (source: Source, text: string, files: ReadonlySet<string>): readonly string[] => {
  try {
    return source.commands(text, files);
  } catch {
    return [];
  }
};

/**
 * Commands that check a repository, from the files at its top that tell of them; most telling first, at most eight. Only
 * names are taken over, never what a script does. A file that cannot be read tells nothing. Without `read`, only the
 * presence of files counts.
 */
export const checkCommands = async (files: readonly string[], read?: ReadText): Promise<readonly string[]> => {
  const top = new Set(files.filter((file) => !file.includes('/')));
  const found: string[] = [];
  for (const source of SOURCES)
    if (top.has(source.file)) found.push(...commandsIn(source, await textOf(read, source.file), top));
  if (found.length === 0 && files.some((file) => /\.(?:sln|csproj)$/.test(file))) found.push('dotnet test');
  return [...new Set(found)].slice(0, MOST_COMMANDS);
};

/** The programs of such commands: what a step must be allowed to run, to check its work. */
export const programsOf = (commands: readonly string[]): readonly string[] => [
  ...new Set(commands.flatMap((command) => command.split(/\s+/, 1)[0] ?? [])),
];
