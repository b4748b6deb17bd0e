import { z } from 'zod';
import { list } from './define.ts';
import { runState } from './views.ts';

const texts = list(z.string());
const source = z.enum(['workspace', 'home', 'bundled', 'draft']);
const kind = z.enum(['instructions', 'script']);
const permissions = z.object({ read: texts, write: texts, commands: texts, hosts: texts });
const hold = z.enum(['node', 'sandbox', 'nothing']).nullable();
const schema = z.record(z.string(), z.unknown()).readonly().nullable();

/** Schemas of what operations on skills return. Each mirrors a type of the engine's façade. */
export const skillView = z.object({
  name: z.string(),
  description: z.string(),
  tags: texts,
  source,
  root: z.string().nullable(),
  state: z.enum(['bundled', 'trusted', 'needs-review', 'draft', 'error']),
  kind,
  folder: z.string(),
  file: z.string(),
  hash: z.string(),
  tokens: z.int(),
  pinned: z.boolean(),
  uses: z.int(),
  permissions,
  tools: texts,
  may: texts,
  hold,
  held: z.string().nullable(),
});

export const skillLine = z.object({
  name: z.string(),
  description: z.string(),
  state: skillView.shape.state,
  kind,
  pinned: z.boolean(),
});

export const importedView = z.object({
  name: z.string(),
  from: z.string(),
  kind: z.enum(['git', 'clawhub', 'langchain']),
  pin: z.string(),
  state: z.enum(['as-imported', 'changed-by-hand', 'missing']),
  importedAt: z.string(),
});

export const skillText = z.object({
  skill: skillView,
  body: z.string(),
  files: texts,
  input: schema,
  output: schema,
});

const diagnostic = z.object({
  file: z.string(),
  line: z.int(),
  column: z.int().optional(),
  endLine: z.int().optional(),
  endColumn: z.int().optional(),
  severity: z.enum(['error', 'warning', 'hint']),
  code: z.string(),
  message: z.string(),
});

export const skillProblem = diagnostic.extend({ fix: z.string().nullable(), fixed: z.string().nullable() });

export const skillRun = z.object({
  skill: z.string(),
  kind,
  state: z.enum(['done', 'failed', 'running']),
  ok: z.boolean(),
  result: z.unknown(),
  report: z.string().nullable(),
  error: z.string().nullable(),
  run: z.string().nullable(),
  runState: runState.nullable(),
  filesChanged: z.int().nullable(),
  ms: z.number(),
});

const difference = z.object({ added: texts, changed: texts, removed: texts });

export const importPreview = z.object({
  name: z.string(),
  pin: z.string(),
  hash: z.string(),
  description: z.string(),
  license: z.string().nullable(),
  kind,
  files: list(z.object({ path: z.string(), bytes: z.int(), script: z.boolean() })),
  leftOut: texts,
  permissions,
  asks: texts,
  held: z.string().nullable(),
  diagnostics: list(diagnostic),
  remarks: texts,
  change: z
    .object({
      pinBefore: z.string(),
      files: difference,
      asksMore: texts,
      asksLess: texts,
      changedByHand: texts,
    })
    .nullable(),
  text: z.string(),
});

/** One object for every outcome: what does not belong to its kind is null or empty. */
export const importResult = z.object({
  kind: z.enum(['preview', 'choose', 'agree', 'installed']),
  preview: importPreview.nullable(),
  /** What to give next time, and what there is to choose from. */
  of: z.enum(['path', 'spec']).nullable(),
  choices: texts,
  question: z.string().nullable(),
  skill: importedView.nullable(),
  hash: z.string().nullable(),
  folder: z.string().nullable(),
});

export const removed = z.object({ movedTo: z.string().nullable(), changes: difference });

export const hubSkill = z.object({
  slug: z.string(),
  title: z.string(),
  summary: z.string(),
  version: z.string().nullable(),
});

export const draftView = z.object({
  name: z.string(),
  description: z.string(),
  folder: z.string(),
  hash: z.string(),
  kind,
  tokens: z.int(),
  files: texts,
  may: texts,
  hold,
  held: z.string().nullable(),
  run: z.string().nullable(),
  agent: z.string().nullable(),
  replaces: source.nullable(),
  problems: list(diagnostic),
});

export const draftReview = z.object({
  draft: draftView,
  files: list(
    z.object({
      path: z.string(),
      status: z.enum(['added', 'changed', 'removed', 'same']),
      before: z.string().nullable(),
      after: z.string().nullable(),
    }),
  ),
  patch: z.string(),
  asksMore: texts,
});

export const draftTest = z.object({
  name: z.string(),
  ok: z.boolean(),
  tests: list(z.object({ file: z.string(), ok: z.boolean(), message: z.string(), ms: z.number() })),
  problems: list(diagnostic),
});
