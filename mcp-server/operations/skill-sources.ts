import { z } from 'zod';
import { UserError } from '../domain/errors.ts';
import type { ImportAsked, ImportResult } from '../engine/skills-facade.ts';
import { defineOperation, inputObject, list } from './define.ts';
import { draftReview, draftTest, draftView, hubSkill, importResult, removed, skillView } from './skill-views.ts';

const name = z.string().min(1).max(64).describe('The name of a skill, such as code-review.');
const hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe('Of the preview; without it nothing is installed, it is only looked at.');
const replaceChanged = z
  .boolean()
  .default(false)
  .describe('Also when files were changed by hand; they are kept aside.');
const agreed = z.boolean().default(false).describe('The person knows that looking at a LangChain tool runs its code.');

const importInput = inputObject({
  kind: z.enum(['git', 'clawhub', 'langchain']),
  url: z.string().max(2000).optional().describe('git: where from; https, ssh, or a local path.'),
  ref: z.string().max(200).optional().describe('git: branch, tag or commit.'),
  path: z.string().max(500).optional().describe('git: folder of the skill in the repository.'),
  slug: z.string().max(200).optional().describe('clawhub: owner/name.'),
  version: z.string().max(100).optional().describe('clawhub: the latest without it.'),
  spec: z.string().max(300).optional().describe('langchain: @langchain/community/tools/calculator#Calculator'),
  agreed,
  name: name.optional().describe('Another name than that of the source.'),
  hash: hash.optional(),
  replaceChanged,
});

const skillImport = defineOperation({
  name: 'skill_import',
  title: 'Import a skill',
  description:
    'Brings a skill from a git repository, ClawHub or an installed LangChain tool. First without "hash": shows what it holds and what it may do. ' +
    "Then, after the person has agreed, with the hash of that preview. It is pinned in .coppice/skills.lock.json and still needs the person's trust.",
  effect: 'changes',
  idempotent: true,
  openWorld: true,
  input: importInput,
  output: importResult,
  handle: async (engine, input, signal) =>
    resultOf(
      await engine.importSkill(
        { request: requestOf(input), hash: input.hash ?? null, replaceChanged: input.replaceChanged },
        signal,
      ),
    ),
});

const requestOf = (input: z.infer<typeof importInput>): ImportAsked => {
  const { kind, url, ref = null, path = null, slug, version = null, spec } = input;
  const named = input.name === undefined ? {} : { name: input.name };
  if (kind === 'git' && url !== undefined) return { kind, url, ref, path, ...named };
  if (kind === 'clawhub' && slug !== undefined) return { kind, slug, version, ...named };
  if (kind === 'langchain' && spec !== undefined) return { kind, spec, agreed: input.agreed, ...named };
  const needed = { git: 'url', clawhub: 'slug', langchain: 'spec' }[kind];
  throw new UserError('bad-input', `Give "${needed}" for an import of the kind ${kind}.`);
};

const NOTHING = {
  preview: null,
  of: null,
  choices: [],
  question: null,
  skill: null,
  hash: null,
  folder: null,
} as const;

const resultOf = (result: ImportResult): z.infer<typeof importResult> => {
  if (result.kind !== 'preview') return { ...NOTHING, ...result };
  const { preview, text, asks, held } = result;
  const shown = { ...preview, permissions: preview.manifest.permissions, asks, held, text };
  return { ...NOTHING, kind: 'preview', hash: preview.hash, preview: shown };
};

const skillUpdate = defineOperation({
  name: 'skill_update',
  title: 'Update an imported skill',
  description:
    'Fetches an imported skill again, as it was asked for. First without "hash": shows what is different; then with the hash of that preview.',
  effect: 'changes',
  idempotent: true,
  openWorld: true,
  input: inputObject({ name, hash: hash.optional(), agreed, replaceChanged }),
  output: importResult,
  handle: async (engine, input, signal) =>
    resultOf(await engine.updateSkill({ ...input, hash: input.hash ?? null }, signal)),
});

const skillRemove = defineOperation({
  name: 'skill_remove',
  title: 'Remove an imported skill',
  description:
    'Takes an imported skill out of this repository. One that was changed by hand only with "evenIfChanged"; its files are then kept aside.',
  effect: 'destroys',
  idempotent: false,
  input: inputObject({ name, evenIfChanged: z.boolean().default(false) }),
  output: removed,
  handle: (engine, input) => engine.removeSkill(input),
});

const skillHub = defineOperation({
  name: 'skill_hub',
  title: 'Search ClawHub',
  description: 'Skills of the hub by what they are for, best first; bring one with skill_import, kind "clawhub".',
  effect: 'reads',
  idempotent: true,
  openWorld: true,
  input: inputObject({ query: z.string().min(1).max(200), limit: z.int().min(1).max(50).default(10) }),
  output: z.object({ skills: list(hubSkill) }),
  handle: async (engine, input, signal) => ({ skills: await engine.searchHub(input, signal) }),
});

const skillDrafts = defineOperation({
  name: 'skill_drafts',
  title: 'List drafts of skills',
  description:
    'Skills that agents have written and nobody has approved: who wrote them, what they would do, what is wrong with them.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({}),
  output: z.object({ drafts: list(draftView) }),
  handle: async (engine) => ({ drafts: await engine.listDrafts() }),
});

const draftName = z.string().min(1).max(64).describe('The name of a draft.');

const skillDraftReview = defineOperation({
  name: 'skill_draft_review',
  title: 'Review a draft',
  description: 'All files of a draft, and the diff against the skill of the same name if there is one.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ name: draftName }),
  output: draftReview,
  handle: (engine, input) => engine.reviewDraft(input.name),
});

const skillDraftTest = defineOperation({
  name: 'skill_draft_test',
  title: 'Test a draft',
  description:
    'Runs the tests of a draft on a copy that can reach neither the repository nor other programs; a script without tests does not pass.',
  effect: 'changes',
  idempotent: true,
  input: inputObject({ name: draftName }),
  output: draftTest,
  handle: (engine, input, signal) => engine.testDraft(input.name, signal),
});

const skillDraftApprove = defineOperation({
  name: 'skill_draft_approve',
  title: 'Approve a draft',
  description:
    'Makes a draft a skill of this repository, trusted for the content with this hash (of skill_draft_review). A skill of the same name is kept aside. Only after the person has said so.',
  effect: 'changes',
  idempotent: false,
  input: inputObject({ name: draftName, hash: hash.describe('Of skill_draft_review.') }),
  output: skillView,
  handle: (engine, input) => engine.approveDraft(input),
});

const skillDraftDiscard = defineOperation({
  name: 'skill_draft_discard',
  title: 'Discard a draft',
  description: 'Drops a draft; its files are kept aside below .coppice/removed-skills.',
  effect: 'destroys',
  idempotent: false,
  input: inputObject({ name: draftName }),
  output: z.object({ movedTo: z.string() }),
  handle: (engine, input) => engine.discardDraft(input.name),
});

export const skillSourceOperations = [
  skillImport,
  skillUpdate,
  skillRemove,
  skillHub,
  skillDrafts,
  skillDraftReview,
  skillDraftTest,
  skillDraftApprove,
  skillDraftDiscard,
];
