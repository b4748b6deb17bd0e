const BY_EXTENSION = {
  TypeScript: 'ts tsx mts cts',
  JavaScript: 'js jsx mjs cjs',
  Python: 'py pyi',
  Rust: 'rs',
  Go: 'go',
  Java: 'java',
  Kotlin: 'kt kts',
  Scala: 'scala sbt',
  'C#': 'cs',
  'F#': 'fs fsx',
  C: 'c h',
  'C++': 'cc cpp cxx hh hpp hxx',
  'Objective-C': 'm mm',
  Swift: 'swift',
  Ruby: 'rb rake',
  PHP: 'php',
  Perl: 'pl pm',
  Lua: 'lua',
  Dart: 'dart',
  Elixir: 'ex exs',
  Erlang: 'erl hrl',
  Haskell: 'hs',
  OCaml: 'ml mli',
  Clojure: 'clj cljs cljc',
  R: 'r',
  Julia: 'jl',
  Zig: 'zig',
  Nim: 'nim',
  Shell: 'sh bash zsh fish',
  PowerShell: 'ps1 psm1',
  SQL: 'sql',
  HTML: 'html htm',
  CSS: 'css scss sass less',
  Vue: 'vue',
  Svelte: 'svelte',
  Terraform: 'tf',
  Protobuf: 'proto',
  GraphQL: 'graphql gql',
  Notebook: 'ipynb',
  Markdown: 'md mdx rst adoc',
  JSON: 'json jsonc json5',
  YAML: 'yaml yml',
  TOML: 'toml',
  XML: 'xml xsd',
};
const BY_NAME = { makefile: 'Makefile', dockerfile: 'Dockerfile', rakefile: 'Ruby', gemfile: 'Ruby', justfile: 'Just' };
const WRITTEN_FOR_MACHINES = new Set(['JSON', 'YAML', 'TOML', 'XML']);

const byExtension = new Map(
  Object.entries(BY_EXTENSION).flatMap(([language, extensions]) => extensions.split(' ').map((one) => [one, language])),
);

/** The language of a file by its name; null when it is none that people write. */
export const languageOf = (path) => {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  return BY_NAME[name] ?? byExtension.get(name.slice(name.lastIndexOf('.') + 1)) ?? null;
};

/** Whether programs and texts are written in it, rather than data and settings. */
export const isWritten = (language) => language !== null && !WRITTEN_FOR_MACHINES.has(language);

const GENERATED =
  /(^|\/)(vendor|third_party|generated|__snapshots__)\/|\.min\.(js|css)$|\.(map|snap|lock)$|(^|\/)(package-lock\.json|pnpm-lock\.yaml|npm-shrinkwrap\.json|go\.sum)$|[._]pb2?\.(go|py)$|\.g\.dart$/;

/** Whether nobody wrote the file by hand, as far as its path tells. */
export const isGenerated = (path) => GENERATED.test(path);

const PURPOSES = [
  [/^(tests?|specs?|__tests__|e2e|testdata|fixtures)$/i, 'tests'],
  [/^(docs?|documentation|adr|man)$/i, 'documents'],
  [/^(examples?|samples?|demos?)$/i, 'examples'],
  [/^(scripts?|tools?|bin|hack)$/i, 'scripts'],
  [/^(migrations?)$/i, 'database migrations'],
  [/^(vendor|third_party|external)$/i, 'code of others'],
  [/^(assets?|static|public|media|images?|icons?)$/i, 'assets'],
  [/^(config|conf|settings|deploy|infra|k8s|charts|terraform)$/i, 'configuration'],
  [/^\.(github|gitlab|circleci|ci)$/i, 'continuous integration'],
  [/^bench(es|marks?)?$/i, 'benchmarks'],
  [/^(src|lib|app|apps|packages|crates|cmd|internal|pkg|server|client)$/i, 'source'],
];

/** What a folder is for, by its name or that of the nearest folder above; null when none of them tells. */
export const purposeOf = (folder) => {
  const names = folder.split('/').toReversed();
  const purposes = names.map((name) => PURPOSES.find(([pattern]) => pattern.test(name))?.[1]);
  return purposes.find((purpose) => purpose !== undefined) ?? null;
};
