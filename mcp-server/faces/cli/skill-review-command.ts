import { resolve } from 'node:path';
import type { DraftReview, DraftTest, DraftView, SkillText, SkillView } from '../../engine/skills-facade.ts';
import { hasConsent } from './consent.ts';
import { type CliContext, EXIT } from './context.ts';
import type { EngineClient } from './engine-client.ts';
import type { DraftAction, SkillAction } from './skill-arguments.ts';
import { draftList, draftPage, draftTestLines, maySay, trustPage } from './skill-text.ts';
import { printable } from './terminal.ts';

/** `coppice skill trust`: shows what is asked for, asks, and grants it. Resolves with the exit status. */
export const trustSkill = async (
  context: CliContext,
  client: EngineClient,
  action: Extract<SkillAction, { kind: 'trust' }>,
  json: boolean,
): Promise<number> => {
  const { name } = action;
  const { terminal } = context;
  const shown = await client.call<SkillText>('skill_read', { name });
  if (shown.skill.state !== 'needs-review') return needless(context, shown.skill, json);
  if (!json) terminal.print(trustPage(shown));
  const { hash, may, hold } = shown.skill;
  const consent = await hasConsent(context, action, json, {
    // What was said of a script that is held does not hold for one that nothing holds.
    accepted: [hold === 'nothing' ? `unconfined:${hash}` : hash],
    question: `Trust ${name} with this content? It may then ${maySay(may)}.`,
    undone: `${name} is not trusted.`,
  });
  if (!consent) {
    if (json) terminal.print(JSON.stringify(shown));
    return EXIT.notRun;
  }
  const skill = await client.call<SkillView>('skill_trust', { name, hash, unconfined: hold === 'nothing' });
  terminal.print(json ? JSON.stringify(skill) : `${name} is trusted as it is now.`);
  return EXIT.ok;
};

/** What is trusted already, or cannot be. */
const needless = ({ terminal, program, repoFlag }: CliContext, skill: SkillView, json: boolean): number => {
  const { name, state } = skill;
  const can = state === 'trusted' || state === 'bundled';
  const again = (what: string): string => `${program} skill ${what} ${name}${repoFlag}`;
  const why = {
    trusted: `${name} is trusted already.`,
    bundled: `${name} comes with Coppice; it needs no trust.`,
    draft: `${name} is a draft. Look at it and approve it: ${again('draft approve')}`,
    error: `${name} has errors and cannot be used: ${again('check')}`,
    'needs-review': '',
  }[state];
  if (json) terminal.print(JSON.stringify(skill));
  if (can && !json) terminal.print(why);
  else if (!can) terminal.warn(why);
  return can ? EXIT.ok : EXIT.usage;
};

/** `coppice skill drafts` and `skill draft …`. Resolves with the exit status. */
export const draftCommand = async (
  context: CliContext,
  client: EngineClient,
  action: DraftAction,
  json: boolean,
): Promise<number> => {
  const { terminal } = context;
  if (action.kind === 'drafts') {
    const listed = (await client.call<{ drafts: DraftView[] }>('skill_drafts', {})).drafts;
    terminal.print(json ? JSON.stringify(listed) : draftList(listed, terminal.size().columns));
    return EXIT.ok;
  }
  const { name } = action;
  switch (action.kind) {
    case 'draft-show': {
      const review = await client.call<DraftReview>('skill_draft_review', { name });
      terminal.print(json ? JSON.stringify(review) : draftPage(review));
      return EXIT.ok;
    }
    case 'draft-test': {
      const tested = await client.call<DraftTest>('skill_draft_test', { name });
      terminal.print(json ? JSON.stringify(tested) : draftTestLines(tested, resolve()));
      return tested.ok ? EXIT.ok : EXIT.failed;
    }
    case 'draft-approve':
      return approve(context, client, action, json);
    case 'draft-discard': {
      const gone = await client.call<{ movedTo: string }>('skill_draft_discard', { name });
      terminal.print(json ? JSON.stringify(gone) : printable(`Discarded ${name}; its files are in ${gone.movedTo}.`));
      return EXIT.ok;
    }
  }
};

const approve = async (
  context: CliContext,
  client: EngineClient,
  action: Extract<DraftAction, { kind: 'draft-approve' }>,
  json: boolean,
): Promise<number> => {
  const { name } = action;
  const review = await client.call<DraftReview>('skill_draft_review', { name });
  if (!json) context.terminal.print(draftPage(review));
  const { hash, may, replaces } = review.draft;
  const consent = await hasConsent(context, action, json, {
    accepted: [hash],
    question: `Make ${name} a skill of this repository${replaces === null ? '' : ', in the place of the one that is there'}? It may then ${maySay(may)}.`,
    undone: `${name} stays a draft.`,
  });
  if (!consent) {
    if (json) context.terminal.print(JSON.stringify(review));
    return EXIT.notRun;
  }
  const skill = await client.call<SkillView>('skill_draft_approve', { name, hash });
  context.terminal.print(json ? JSON.stringify(skill) : `${name} is a skill of this repository now, trusted as it is.`);
  return EXIT.ok;
};
