import assert from 'node:assert/strict';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { openStage, type Stage, until } from '../support/coppice-process.ts';
import { makeRepository } from '../support/repository.ts';

const FILES = {
  'README.md': '# Project\n',
  'src/a.ts': 'export const a = 1;\n',
  '.agents/skills/greet/SKILL.md':
    '---\nname: greet\ndescription: Greet somebody. Use for greetings.\n---\n# Greet\n\nSay hello.\n',
  '.agents/skills/add/SKILL.md': '---\nname: add\ndescription: Adds numbers. Use for sums.\n---\n# Add\n',
  '.agents/skills/add/manifest.json': JSON.stringify({
    entry: 'add.mjs',
    input: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } }, required: ['a', 'b'] },
  }),
  '.agents/skills/add/add.mjs':
    "let text = '';\nfor await (const chunk of process.stdin) text += chunk;\nconst { a, b } = JSON.parse(text);\nprocess.stdout.write(JSON.stringify({ sum: a + b }));\n",
};

interface SkillRun {
  readonly state: string;
  readonly ok: boolean;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly run: string | null;
  readonly runState: string | null;
}

describe('skills over MCP, by the built program', function () {
  this.timeout(60_000);
  let stage: Stage;
  const repo = makeRepository(FILES);
  const clients: Client[] = [];
  const asked: string[] = [];

  const connect = async (answer: boolean | null): Promise<Client> => {
    const capabilities = answer === null ? {} : { elicitation: { form: {} } };
    const client = new Client({ name: 'test', version: '1' }, { capabilities });
    if (answer !== null)
      client.setRequestHandler('elicitation/create', async ({ params }) => {
        asked.push(params.message);
        return { action: 'accept', content: { approve: answer } };
      });
    clients.push(client);
    const args = [stage.script, 'mcp', '--repo', repo.root];
    await client.connect(
      new StdioClientTransport({ command: process.execPath, args, env: stage.environment, stderr: 'pipe' }),
    );
    return client;
  };
  const call = async <T>(client: Client, name: string, input: object = {}): Promise<T> => {
    const result = await client.callTool({ name, arguments: { ...input } });
    assert.notEqual(result.isError, true, `${name}: ${JSON.stringify(result.content)} ${stage.log()}`);
    return result.structuredContent as T;
  };

  before(() => {
    stage = openStage({ repo });
  });
  after(async () => {
    for (const client of clients) await client.close().catch(() => {});
    await stage.close();
  });

  it('are listed, searched, read, checked and run', async () => {
    const client = await connect(null);
    const { skills } = await call<{ skills: { name: string; state: string }[] }>(client, 'skill_list');
    const states = new Map(skills.map(({ name, state }) => [name, state]));
    assert.deepEqual(
      ['code-review', 'repository-map', 'greet', 'add'].map((name) => states.get(name)),
      ['bundled', 'bundled', 'needs-review', 'needs-review'],
    );
    const found = await call<{ skills: { name: string }[] }>(client, 'skill_search', { query: 'map the repository' });
    assert.equal(found.skills[0]?.name, 'repository-map');
    const read = await call<{ body: string }>(client, 'skill_read', { name: 'code-review' });
    assert.match(read.body, /# Code review/);
    assert.equal((await call<{ ok: boolean }>(client, 'skill_check')).ok, true);
    const map = await call<SkillRun>(client, 'skill_run', { name: 'repository-map', input: { depth: 1 } });
    assert.equal(map.ok, true, JSON.stringify(map));
    assert.ok(Number(map.result?.['files']) >= 2, JSON.stringify(map.result));
  });

  it('of instructions run as an agent', async () => {
    const client = await connect(null);
    const options = { server: 'rehearsal', unattended: true };
    const review = await call<SkillRun>(client, 'skill_run', { name: 'code-review', input: 'src/a.ts', options });
    assert.ok(review.run);
    assert.equal(review.state, 'done', JSON.stringify(review));
  });

  it('that nobody has trusted are refused, or the person of the client is asked', async () => {
    const silent = await connect(null);
    const refused = await silent.callTool({ name: 'skill_run', arguments: { name: 'add', input: { a: 1, b: 2 } } });
    assert.match(JSON.stringify(refused), /waits for a person's answer: trust it/);
    const unwilling = await connect(false);
    const no = await unwilling.callTool({ name: 'skill_run', arguments: { name: 'add', input: { a: 1, b: 2 } } });
    assert.match(JSON.stringify(no), /does not trust the skill add/);
    const willing = await connect(true);
    const sum = await call<SkillRun>(willing, 'skill_run', { name: 'add', input: { a: 1, b: 2 } });
    assert.deepEqual([sum.ok, sum.result], [true, { sum: 3 }]);
    assert.equal(asked.length, 2, asked.join('\n'));
    assert.match(
      asked[0] ?? '',
      /The skill add .* It may then run its script add\.mjs\. Node holds its script to this\. Trust it\?/,
    );
    const again = await call<SkillRun>(silent, 'skill_run', { name: 'add', input: { a: 2, b: 2 } });
    assert.deepEqual(again.result, { sum: 4 });
  });

  it('are tools of their own when they are pinned, resources, and prompts beside the workflows', async () => {
    const client = await connect(null);
    await call(client, 'skill_pin', { name: 'add' });
    const names = async (): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);
    await until('the pinned skill is a tool', async () => (await names()).includes('skill_add'));
    const { tools } = await client.listTools();
    const own = tools.find(({ name }) => name === 'skill_add');
    assert.deepEqual(own?.inputSchema.required, ['a', 'b']);
    const annotations = (name: string) => tools.find((tool) => tool.name === name)?.annotations;
    assert.equal(annotations('skill_run')?.destructiveHint, true);
    assert.equal(annotations('skill_search')?.readOnlyHint, true);
    assert.equal(annotations('skill_import')?.openWorldHint, true);
    assert.deepEqual((await call<SkillRun>(client, 'skill_add', { a: 20, b: 22 })).result, { sum: 42 });
    const { contents } = await client.readResource({ uri: 'skill://code-review/SKILL.md' });
    assert.match(JSON.stringify(contents), /# Code review/);
    const { prompts } = await client.listPrompts();
    for (const name of ['code-review', 'tdd', 'coppice-run'])
      assert.ok(
        prompts.some((one) => one.name === name),
        name,
      );
  });
});
