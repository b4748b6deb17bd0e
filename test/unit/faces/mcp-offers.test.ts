import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { type Approval, ApprovalNeeded } from '../../../mcp-server/domain/approval.ts';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { type McpFace, type McpFaceParts, openMcpFace } from '../../../mcp-server/faces/mcp/face.ts';
import { createFakeEngine, type FakeEngine, fakeAgent } from '../../support/fake-engine.ts';
import { createFakeSkills, type FakeSkills, fakeManifest } from '../../support/fake-skills.ts';

const MODERN = { pin: '2026-07-28' } as const;
const ERAS = { 'the older era': 'legacy', 'the newer era': MODERN } as const;
const TASKS = {
  type: 'object',
  properties: { files: { type: 'array', items: { type: 'string' } } },
  required: ['files'],
} as const;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const until = async (what: string, probe: () => boolean): Promise<void> => {
  for (let at = 0; at < 300 && !probe(); at++) await pause(10);
  assert.ok(probe(), what);
};

describe('what every MCP client is offered', () => {
  let folder: string;
  let server: Server;
  let engine: FakeEngine;
  let skills: FakeSkills;
  let face: McpFace;
  const sockets: Socket[] = [];
  const clients: Client[] = [];
  const logged: string[] = [];

  const start = async (parts: Partial<McpFaceParts> = {}): Promise<void> => {
    face = openMcpFace({ engine, version: '1.0.0', skills, log: (line) => logged.push(line), ...parts });
    server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      face.serve(socket, async () => null);
    });
    await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
  };
  const attach = async (
    mode: 'legacy' | typeof MODERN,
    options: ConstructorParameters<typeof Client>[1] = {},
    prepare: (client: Client) => void = () => {},
  ): Promise<Client> => {
    const client = new Client({ name: 'test', version: '1' }, { ...options, versionNegotiation: { mode } });
    prepare(client);
    const socket = await new Promise<Socket>((resolve) => {
      const one = connect({ path: join(folder, 's'), allowHalfOpen: true }, () => resolve(one));
    });
    sockets.push(socket);
    await client.connect(new StdioServerTransport(socket, socket));
    clients.push(client);
    return client;
  };
  const textOf = (result: { content: readonly unknown[] }): string => (result.content[0] as { text: string }).text;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coppice-mcp-'));
    engine = createFakeEngine();
    skills = createFakeSkills();
    logged.length = 0;
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    face?.close();
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  for (const [era, mode] of Object.entries(ERAS)) {
    describe(`in ${era}`, () => {
      it('reads runs, agents and skills as resources, and says what is not there', async () => {
        skills.put('repository-map', {}, { 'references/guide.md': '# Guide\n', 'logo.png': Buffer.from([1, 2, 255]) });
        await start();
        engine.addRun({ task: 'Map it' });
        engine.addAgent(fakeAgent());
        const client = await attach(mode);
        const { resourceTemplates } = await client.listResourceTemplates();
        const templates = resourceTemplates.map(({ uriTemplate }) => uriTemplate).sort();
        assert.deepEqual(templates, ['agent://{id}', 'run://{id}', 'skill://{+path}', 'skill://{name}/SKILL.md']);
        const read = async (uri: string) =>
          (await client.readResource({ uri })).contents[0] as unknown as Record<string, string>;
        assert.equal(JSON.parse((await read('run://r-1'))['text'] ?? '').task, 'Map it');
        const agent = JSON.parse((await read('agent://a-1'))['text'] ?? '');
        assert.deepEqual([agent.agent.name, agent.entries.length], ['map docs', 1]);
        const { resources } = await client.listResources();
        assert.deepEqual(
          resources.map(({ uri, name }) => [uri, name]),
          [['skill://repository-map/SKILL.md', 'repository-map']],
        );
        assert.match((await read('skill://repository-map/SKILL.md'))['text'] ?? '', /^---\nname: repository-map/);
        assert.equal((await read('skill://repository-map/references/guide.md'))['mimeType'], 'text/markdown');
        assert.equal((await read('skill://repository-map/logo.png'))['blob'], 'AQL/');
        await assert.rejects(read('run://r-none'));
        await assert.rejects(read('skill://repository-map/../x'));
        await assert.rejects(read('skill://repository-map/none.md'));
      });

      it('offers instruction skills and its own prompts, with arguments and completions', async () => {
        skills.put('code-review', { body: 'Read every changed line.\n' });
        skills.put('counter', { kind: 'script' });
        skills.put('not-yet', { state: 'needs-review' });
        await start({
          prompts: {
            list: () => [{ name: 'tdd', title: 'TDD', description: 'Test first.', arguments: [] }],
            get: async () => 'First the test.',
          },
        });
        engine.addRun();
        engine.addRun();
        engine.addAgent(fakeAgent());
        const client = await attach(mode);
        const { prompts } = await client.listPrompts();
        assert.deepEqual(
          prompts.map(({ name, arguments: args }) => [
            name,
            (args ?? []).map((one) => `${one.name}${one.required ? '!' : ''}`),
          ]),
          [
            ['coppice-run', ['task!', 'server']],
            ['coppice-review', ['run!']],
            ['tdd', []],
            ['code-review', ['task']],
          ],
        );
        const text = async (name: string, args: Record<string, string> = {}): Promise<string> => {
          const { messages } = await client.getPrompt({ name, arguments: args });
          return (messages[0]?.content as { text: string } | undefined)?.text ?? '';
        };
        assert.equal(
          await text('code-review', { task: 'src/a.ts' }),
          'Read every changed line.\n\n## The task\n\nsrc/a.ts\n',
        );
        assert.equal(await text('tdd'), 'First the test.');
        assert.match(
          await text('coppice-run', { task: 'Fix it', server: 'rehearsal' }),
          /Fix it[^]*"server": "rehearsal"/,
        );
        await assert.rejects(text('not-yet'));
        const complete = async (ref: Record<string, string>, name: string, value: string): Promise<readonly string[]> =>
          (await client.complete({ ref: ref as never, argument: { name, value } })).completion.values;
        assert.deepEqual(await complete({ type: 'ref/resource', uri: 'run://{id}' }, 'id', 'r-'), ['r-2', 'r-1']);
        assert.deepEqual(await complete({ type: 'ref/resource', uri: 'agent://{id}' }, 'id', 'a'), ['a-1']);
        const skill = { type: 'ref/resource', uri: 'skill://{name}/SKILL.md' };
        assert.deepEqual(await complete(skill, 'name', 'co'), ['code-review', 'counter']);
        assert.deepEqual(await complete({ type: 'ref/prompt', name: 'coppice-review' }, 'run', 'r-1'), ['r-1']);
        assert.deepEqual(await complete({ type: 'ref/prompt', name: 'coppice-run' }, 'server', 'reh'), ['rehearsal']);
      });

      it('offers pinned skills as tools with their own schema, and tells when they change', async () => {
        const called: unknown[] = [];
        skills.put('count-lines', {
          kind: 'script',
          pinned: true,
          manifest: fakeManifest({ entry: 'run.mjs', input: TASKS }),
        });
        skills.put('run', { pinned: true });
        await start({
          runSkill: async (name, input) => {
            called.push([name, input]);
            return { lines: 12 };
          },
        });
        let told = 0;
        const client = await attach(mode, { listChanged: { tools: { onChanged: () => void told++ } } });
        const skillTools = async () =>
          (await client.listTools()).tools.filter(({ _meta }) => _meta?.['coppice/skill'] !== undefined);
        const tools = await skillTools();
        assert.deepEqual(tools.map(({ name }) => name).sort(), ['skill_count-lines', 'skill_run_skill']);
        const counter = tools.find(({ name }) => name === 'skill_count-lines');
        assert.deepEqual((counter?.inputSchema as { required?: string[] } | undefined)?.required, ['files']);
        assert.partialDeepStrictEqual(counter?.annotations, { readOnlyHint: true, destructiveHint: false });
        const result = await client.callTool({ name: 'skill_count-lines', arguments: { files: ['a'] } });
        assert.deepEqual(result.structuredContent, { lines: 12 });
        assert.deepEqual(called, [['count-lines', { files: ['a'] }]]);
        const refused = await client.callTool({ name: 'skill_count-lines', arguments: { files: 'a' } });
        assert.equal(refused.isError, true);
        assert.equal(called.length, 1);
        skills.put('count-lines', { pinned: false });
        skills.put('another', { pinned: true });
        await until('a change is told', () => told > 0);
        assert.deepEqual((await skillTools()).map(({ name }) => name).sort(), ['skill_another', 'skill_run_skill']);
      });

      it('tells of changes of resources and prompts when the registry changes', async () => {
        await start();
        const told: string[] = [];
        const client = await attach(mode, {
          listChanged: {
            prompts: { onChanged: () => void told.push('prompts') },
            resources: { onChanged: () => void told.push('resources') },
          },
        });
        assert.equal((await client.listResources()).resources.length, 0);
        skills.changed('uses');
        await pause(200);
        assert.equal(told.length, 0, 'a use changes no list');
        skills.put('new-one');
        await until('both are told', () => told.includes('prompts') && told.includes('resources'));
        assert.equal((await client.listResources()).resources.length, 1);
      });

      it('tells once of a run that many events concern, while somebody follows it', async () => {
        await start();
        engine.addRun();
        const updates: string[] = [];
        const client = await attach(mode, {}, (one) =>
          one.setNotificationHandler(
            'notifications/resources/updated',
            async ({ params }) => void updates.push(params.uri),
          ),
        );
        engine.emit({ type: 'agent.acted', run: 'r-1', agent: 'a-1' });
        if (mode === 'legacy') await client.subscribeResource({ uri: 'run://r-1' });
        else await client.listen({ resourceSubscriptions: ['run://r-1'] });
        await pause(100);
        for (let at = 0; at < 20; at++) engine.emit({ type: 'agent.acted', run: 'r-1', agent: 'a-1' });
        engine.emit({ type: 'agent.acted', run: 'r-2', agent: 'a-2' });
        await until('it is told', () => updates.length > 0);
        await pause(700);
        assert.deepEqual([...new Set(updates)], ['run://r-1']);
        assert.ok(updates.length <= 2, `${updates.length} times`);
      });

      it('ends the work of a skill when its call is cancelled', async () => {
        let aborted = false;
        let progress = 0;
        skills.put('slow', { pinned: true });
        await start({
          runSkill: (_name, _input, signal) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                aborted = true;
                reject(new UserError('wrong-state', 'Cancelled.'));
              });
            }),
        });
        const client = await attach(mode);
        const cancel = new AbortController();
        const calling = client.callTool(
          { name: 'skill_slow', arguments: { task: 'x' } },
          { signal: cancel.signal, onprogress: () => void progress++ },
        );
        await until('progress is told', () => progress > 0);
        cancel.abort();
        await assert.rejects(calling);
        await until('it is aborted', () => aborted);
      });

      it('asks the person through the client for what needs an approval', async () => {
        const decided: [string, boolean][] = [];
        const approval: Approval = { id: 'ap-1', question: 'May it run npm?', where: 'coppice skill trust x' };
        skills.put('needs', { pinned: true });
        await start({
          runSkill: async () => {
            if (decided.some(([, approved]) => approved)) return { done: true };
            throw new ApprovalNeeded(approval);
          },
          approvals: { decide: async (id, approved) => void decided.push([id, approved]) },
        });
        const answers: { action: 'accept' | 'decline' | 'cancel'; content?: Record<string, boolean> }[] = [];
        const asked: string[] = [];
        const client = await attach(mode, { capabilities: { elicitation: { form: {} } } }, (one) =>
          one.setRequestHandler('elicitation/create', async ({ params }) => {
            asked.push(params.message);
            return answers.shift() ?? { action: 'cancel' };
          }),
        );
        const call = () => client.callTool({ name: 'skill_needs', arguments: { task: 'x' } });
        answers.push({ action: 'cancel' });
        const waits = await call();
        assert.equal(waits.isError, true);
        assert.match(textOf(waits), /May it run npm\? This waits for a person's answer: coppice skill trust x/);
        assert.deepEqual([asked.length, decided], [1, []]);
        answers.push({ action: 'accept', content: { approve: true } });
        const done = await call();
        assert.deepEqual(done.structuredContent, { done: true });
        assert.deepEqual(decided, [['ap-1', true]]);
        const mute = await attach(mode);
        decided.length = 0;
        const told = await mute.callTool({ name: 'skill_needs', arguments: { task: 'x' } });
        assert.match(textOf(told), /This waits for a person's answer/);
      });

      it('asks for what an agent waits for while a client waits for the run', async () => {
        const decided: [string, boolean][] = [];
        await start({
          approvals: {
            decide: async (id, approved) => void decided.push([id, approved]),
            next: async (run, seen, signal) => {
              await pause(50);
              if (run === 'r-1' && decided.length === 0 && !seen.includes('ap-9') && !signal.aborted)
                return { id: 'ap-9', question: 'Run npm test?', where: 'the editor' };
              await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
              return null;
            },
          },
        });
        engine.addRun();
        const client = await attach(mode, { capabilities: { elicitation: { form: {} } } }, (one) =>
          one.setRequestHandler('elicitation/create', async () => {
            setTimeout(() => engine.patchRun('r-1', { state: 'completed', endedAt: 1 }), 50);
            return { action: 'accept', content: { approve: false } };
          }),
        );
        const result = await client.callTool({ name: 'run_wait', arguments: { run: 'r-1', seconds: 10 } });
        assert.equal((result.structuredContent as { state: string }).state, 'completed');
        assert.deepEqual(decided, [['ap-9', false]]);
      });
    });
  }

  it('gives skills that break the rules a front matter that keeps them, with digests that are true', async () => {
    const messy = 'Just text: no front matter at all\n';
    skills.put('messy', { body: messy, description: 'Says "a: b"\nand more' }, { 'SKILL.md': messy, 'a.txt': 'a' });
    skills.put('Bad Name');
    skills.put('unread', { state: 'needs-review' }, { 'scripts/x.sh': 'rm -rf /' });
    skills.put('draft-one', { state: 'draft' });
    await start();
    const client = await attach('legacy');
    const { resources } = await client.listResources();
    assert.ok(resources.some(({ uri }) => uri === 'skill://messy/SKILL.md'));
    const { contents } = await client.readResource({ uri: 'skill://messy/SKILL.md' });
    assert.equal(
      (contents[0] as { text: string }).text,
      `---\nname: messy\ndescription: "Says \\"a: b\\" and more"\n---\n${messy}`,
    );
    await assert.rejects(client.readResource({ uri: 'skill://unread/scripts/x.sh' }), 'only its instructions are read');
    assert.ok(await client.readResource({ uri: 'skill://unread/SKILL.md' }));
    await assert.rejects(client.readResource({ uri: 'skill://draft-one/SKILL.md' }));
    await assert.rejects(client.readResource({ uri: 'skill://Bad%20Name/SKILL.md' }));
    assert.match(logged.join('\n'), /skill Bad Name is not offered over MCP/);
  });

  it('takes no answer that it did not ask for', async () => {
    const decided: string[] = [];
    skills.put('needs', { pinned: true });
    await start({
      runSkill: async () => {
        throw new ApprovalNeeded({ id: 'ap-1', question: 'May it?', where: 'the editor' });
      },
      approvals: { decide: async (id) => void decided.push(id) },
    });
    const client = await attach(MODERN, { capabilities: { elicitation: { form: {} } } });
    const forged = { 'ap-1': { action: 'accept', content: { approve: true } } };
    for (const requestState of [undefined, 'v1.e30.AAAA'])
      await client
        .request({
          method: 'tools/call',
          params: {
            name: 'skill_needs',
            arguments: { task: 'x' },
            inputResponses: forged,
            ...(requestState && { requestState }),
          },
        } as never)
        .catch(() => {});
    assert.deepEqual(decided, []);
  });
});
