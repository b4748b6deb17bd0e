import { resolve } from 'node:path';
import type { z } from 'zod';
import { UserError } from '../../domain/errors.ts';
import type { ImportedView, SkillProblem, SkillText, SkillView } from '../../engine/skills-facade.ts';
import type { hubSkill, removed, skillLine } from '../../operations/skill-views.ts';
import type { CheckedFolder } from '../../skills/check-folder.ts';
import { type CliContext, EXIT } from './context.ts';
import type { EngineClient } from './engine-client.ts';
import { SteadyClient } from './run-events.ts';
import type { SkillAction } from './skill-arguments.ts';
import { draftCommand, trustSkill } from './skill-review-command.ts';
import { runSkill } from './skill-run-command.ts';
import { bringSkill } from './skill-source-command.ts';
import { checkedLine, foundLines, markOf, problemLine, skillList, skillPage } from './skill-text.ts';
import { printable, type Terminal } from './terminal.ts';

/** What the composition root hands to it: looks for problems in a folder, given absolute, that need not be installed. */
export type CheckFolder = (path: string) => Promise<CheckedFolder>;

type Context = CliContext;
type Of<K extends SkillAction['kind']> = Extract<SkillAction, { kind: K }>;

/** `coppice skill …`: all that a person does with skills. Resolves with the exit status. */
export const skillCommand = async (context: Context, action: SkillAction, json: boolean): Promise<number> => {
  const client = new SteadyClient(context);
  try {
    return await carryOut(context, client, action, json);
  } finally {
    await client.close();
  }
};

const carryOut = async (
  context: Context,
  client: EngineClient,
  action: SkillAction,
  json: boolean,
): Promise<number> => {
  switch (action.kind) {
    case 'list':
    case 'search':
    case 'show':
      return look(context, client, action, json);
    case 'check':
      return tellChecked(context.terminal, await checkedOf(client, action.target), json);
    case 'run':
      return runSkill(context, client, action, json);
    case 'import':
    case 'update':
      return bringSkill(context, client, action, json);
    case 'trust':
      return trustSkill(context, client, action, json);
    case 'pin':
    case 'distrust':
    case 'remove':
    case 'new':
      return change(context, client, action, json);
    case 'drafts':
    case 'draft-show':
    case 'draft-test':
    case 'draft-approve':
    case 'draft-discard':
      return draftCommand(context, client, action, json);
  }
};

interface Page {
  readonly skills: SkillView[];
  readonly next: string | null;
  readonly imported: ImportedView[];
}

const PAGE = 2000;

const allSkills = async (client: EngineClient): Promise<Pick<Page, 'skills' | 'imported'>> => {
  const skills: SkillView[] = [];
  for (let after: string | null = null; ; ) {
    const page: Page = await client.call<Page>('skill_list', { limit: PAGE, ...(after === null ? {} : { after }) });
    skills.push(...page.skills);
    after = page.next;
    if (after === null) return { skills, imported: page.imported };
  }
};

const look = async (
  { terminal }: Context,
  client: EngineClient,
  action: Of<'list' | 'search' | 'show'>,
  json: boolean,
): Promise<number> => {
  const say = (value: unknown, text: () => string): number => {
    terminal.print(json ? JSON.stringify(value) : text());
    return EXIT.ok;
  };
  const { columns } = terminal.size();
  switch (action.kind) {
    case 'list': {
      const all = await allSkills(client);
      return say(all, () => skillList(all, columns));
    }
    case 'search': {
      const { query, hub } = action;
      const found = hub ? await searchHub(client, query) : await searchHere(client, query);
      const nothing = hub
        ? 'The hub has no such skill.'
        : 'No skill fits. "skill search WORDS --hub" looks in ClawHub.';
      return say(found.skills, () => foundLines(found.lines, columns, nothing));
    }
    case 'show': {
      const { name, file } = action;
      const text = await client.call<SkillText & { text: string | null }>('skill_read', {
        name,
        ...(file === null ? {} : { file }),
      });
      if (file === null) return say(text, () => skillPage(text));
      if (text.text !== null) return say(text, () => printable(text.text ?? '').trimEnd());
      throw noFile(text, file);
    }
  }
};

const noFile = ({ skill, files }: SkillText, file: string): UserError => {
  const kept = skill.state === 'needs-review' ? ' Until you trust it only its instructions are shown here.' : '';
  const listed = files.length > 0 ? files.join(', ') : 'none beside its instructions';
  return new UserError(
    'not-found',
    `${skill.name} has no text ${file} to show.${kept} Its files in ${skill.folder}: ${listed}.`,
  );
};

type Found = { readonly skills: readonly unknown[]; readonly lines: Parameters<typeof foundLines>[0] };

const searchHere = async (client: EngineClient, query: string): Promise<Found> => {
  const { skills } = await client.call<{ skills: z.infer<typeof skillLine>[] }>('skill_search', { query });
  return {
    skills,
    lines: skills.map((skill) => ({ name: skill.name, mark: markOf(skill), line: skill.description })),
  };
};

const searchHub = async (client: EngineClient, query: string): Promise<Found> => {
  const { skills } = await client.call<{ skills: z.infer<typeof hubSkill>[] }>('skill_hub', { query });
  return {
    skills,
    lines: skills.map(({ slug, title, summary, version }) => ({
      name: slug,
      mark: version ?? '',
      line: summary === '' ? title : summary,
    })),
  };
};

interface Checked {
  /** How many were looked at; null: all that there are of one name. */
  readonly skills: number | null;
  readonly problems: readonly Omit<SkillProblem, 'fix' | 'fixed'>[];
}

/** What is meant by a path; anything else is the name of a skill that is installed. */
export const isPathOfSkill = (target: string): boolean =>
  /[/\\]|^\.{1,2}$|^(?:skill\.md|manifest\.json)$/i.test(target);

/** `coppice skill check PATH`, which needs no repository and no engine. Resolves with the exit status. */
export const checkPath = async (
  { terminal, checkFolder }: Pick<Context, 'terminal'> & { readonly checkFolder: CheckFolder },
  path: string,
  json: boolean,
): Promise<number> => tellChecked(terminal, await checkFolder(resolve(path)), json);

/** Ends with 1 when there is an error; warnings and hints are only said. */
const tellChecked = (terminal: Terminal, { skills, problems }: Checked, json: boolean): number => {
  const ok = !problems.some(({ severity }) => severity === 'error');
  if (json) terminal.print(JSON.stringify({ ok, skills, problems }));
  else {
    for (const problem of problems) terminal.print(problemLine(problem, resolve()));
    terminal.print(checkedLine(problems, skills));
  }
  return ok ? EXIT.ok : EXIT.failed;
};

const checkedOf = async (client: EngineClient, target: string | null): Promise<Checked> => {
  const name = target === null ? {} : { name: target };
  const { problems } = await client.call<{ problems: SkillProblem[] }>('skill_check', name).catch((error: unknown) => {
    if (!(error instanceof UserError) || error.code !== 'not-found') throw error;
    throw new UserError('not-found', `There is no skill ${target}. A folder is written with a slash: ./${target}`);
  });
  const skills = target === null ? (await allSkills(client)).skills.length : 1;
  return { skills, problems };
};

const change = async (
  { terminal, program, repoFlag }: Context,
  client: EngineClient,
  action: Of<'pin' | 'distrust' | 'remove' | 'new'>,
  json: boolean,
): Promise<number> => {
  const say = (value: unknown, text: string): number => {
    terminal.print(json ? JSON.stringify(value) : printable(text));
    return EXIT.ok;
  };
  const { name } = action;
  switch (action.kind) {
    case 'pin': {
      const skill = await client.call<SkillView>('skill_pin', { name, pinned: action.pinned });
      return say(
        skill,
        action.pinned ? `${name} is pinned: agents of later runs are told of it.` : `${name} is not pinned.`,
      );
    }
    case 'distrust': {
      const skill = await client.call<SkillView>('skill_distrust', { name });
      return say(
        skill,
        skill.state === 'bundled'
          ? `${name} comes with Coppice; it needs no trust.`
          : `${name} is not trusted any more.`,
      );
    }
    case 'remove': {
      const gone = await removal(client, name, action.force);
      return say(
        gone,
        gone.movedTo === null ? `Removed ${name}.` : `Removed ${name}; its files are in ${gone.movedTo}.`,
      );
    }
    case 'new': {
      const { description, script, shared } = action;
      const made = await client.call<{ file: string }>('skill_new', {
        name,
        kind: script ? 'script' : 'instructions',
        shared,
        ...(description === null ? {} : { description }),
      });
      const next = (verb: string): string => `${program} skill ${verb} ${name}${repoFlag}`;
      return say(made, `Fill it in: ${made.file}\nThen: ${next('check')}   and: ${next('trust')}`);
    }
  }
};

const removal = (client: EngineClient, name: string, force: boolean): Promise<z.infer<typeof removed>> =>
  client.call<z.infer<typeof removed>>('skill_remove', { name, evenIfChanged: force }).catch(async (error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    if (error.code === 'not-found') throw (await notImported(client, name)) ?? error;
    if (force || error.code !== 'wrong-state') throw error;
    throw new UserError('wrong-state', `${error.message} Here that is said with --force.`);
  });

/** What a person can do about a skill that is there and was not imported. */
const notImported = async (client: EngineClient, name: string): Promise<UserError | null> => {
  const found = await client.call<SkillText>('skill_read', { name }).catch(() => null);
  if (found === null) return null;
  const { source, folder } = found.skill;
  if (source === 'bundled')
    return new UserError('wrong-state', `${name} comes with Coppice. A skill of yours with that name takes its place.`);
  return new UserError(
    'wrong-state',
    `${name} was not imported. To remove it, delete its folder: ${printable(folder)}`,
  );
};
