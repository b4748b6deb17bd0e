import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildMessages } from '../../mcp-server/agent/prompt.ts';
import { offeredTools, toSpec } from '../../mcp-server/agent/tools/tools.ts';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import { skillOffer } from '../../mcp-server/engine/skill-desk.ts';
import { tokenize } from '../../mcp-server/rehearsal/tokens.ts';
import { openSkills } from '../../mcp-server/skills/registry.ts';
import { agentRow, runRow } from '../unit/agent/fixtures.ts';
import { writeManySkills } from '../unit/skills/many-skills.ts';
import type { Row } from './part.ts';

const FEW = 10;
const MANY = 10_000;
const PINNED = 3;

interface Prompt {
  readonly names: readonly string[];
  readonly tokens: number;
}

/** What an agent's first prompt costs with so many skills installed, tools included; tokens of the built-in counter. */
const firstPrompt = async (count: number, pin: readonly string[] | null): Promise<Prompt> => {
  const folder = mkdtempSync(join(tmpdir(), 'coppice-bench-skills-'));
  try {
    const repository = join(folder, 'repository');
    // Which ones are made depends on how many: those that are pinned are there each time.
    for (const each of new Set([count, FEW])) writeManySkills(repository, each);
    const grants = join(folder, 'grants.json');
    const registry = await openSkills({
      repository,
      home: null,
      bundled: null,
      grants,
      clock: systemClock,
      watch: false,
    });
    const all = registry.list();
    const names = pin ?? all.slice(0, PINNED).map(({ name }) => name);
    for (const { name, hash } of all.filter((skill) => names.includes(skill.name))) {
      await registry.trust(name, hash);
      await registry.pin(name, true);
    }
    const [agent, run] = [agentRow(), runRow({ skills: skillOffer(registry) })];
    if (run.options.skills?.pinned.length !== PINNED) throw new Error('The pinned skills are not offered.');
    await registry.close();
    const rows = { turns: [], calls: [], delivered: [], pending: [], names: new Map(), wrapUp: null };
    const messages = buildMessages({ agent, run, ...rows, compactedBefore: 0 });
    return {
      names,
      tokens: tokenize(JSON.stringify({ messages, tools: offeredTools({ agent, run }).map(toSpec) })).length,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Skills that are installed and not used cost a prompt nothing. */
export const benchSkills = async (): Promise<readonly Row[]> => {
  const few = await firstPrompt(FEW, null);
  const many = await firstPrompt(MANY, few.names);
  const against = `${FEW} skills installed`;
  const name = `prompt of an agent, ${MANY} skills, ${PINNED} pinned`;
  return [{ name, unit: 'tokens', value: many.tokens, reference: few.tokens, against, aim: 'the same' }];
};
