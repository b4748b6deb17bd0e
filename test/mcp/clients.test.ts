import assert from 'node:assert/strict';
import { Client as NewClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as NewStdio } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { operations } from '../../mcp-server/operations/table.ts';
import { openStage, type Stage } from '../support/coppice-process.ts';

interface Result {
  readonly isError?: boolean | undefined;
  readonly structuredContent?: unknown;
  readonly content: readonly unknown[];
}

/** What the tests need of a client, whichever it is. */
interface AnyClient {
  tools(): Promise<{ name: string; outputSchema?: unknown }[]>;
  call(name: string, input?: Record<string, unknown>): Promise<Result>;
  close(): Promise<void>;
}

const parametersOf = (stage: Stage) => ({
  command: process.execPath,
  args: [stage.script, 'mcp', '--repo', stage.repo.root],
  env: stage.environment,
  stderr: 'pipe' as const,
});

const newClient = async (stage: Stage, mode: 'legacy' | 'auto' | { pin: string }): Promise<AnyClient> => {
  const client = new NewClient({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  await client.connect(new NewStdio(parametersOf(stage)));
  return {
    tools: async () => (await client.listTools()).tools,
    call: (name, input = {}) => client.callTool({ name, arguments: input }),
    close: () => client.close(),
  };
};

const oldClient = async (stage: Stage): Promise<AnyClient> => {
  const client = new OldClient({ name: 'test', version: '1' });
  await client.connect(new OldStdio(parametersOf(stage)));
  return {
    tools: async () => (await client.listTools()).tools,
    call: async (name, input = {}) => (await client.callTool({ name, arguments: input })) as Result,
    close: () => client.close(),
  };
};

const CLIENTS: Readonly<Record<string, (stage: Stage) => Promise<AnyClient>>> = {
  'the 1.x client': oldClient,
  'the 2.x client in the older era': (stage) => newClient(stage, 'legacy'),
  'the 2.x client in the newer era': (stage) => newClient(stage, { pin: '2026-07-28' }),
  'the 2.x client that negotiates': (stage) => newClient(stage, 'auto'),
};

/** With a model that fails, a draft, or somebody else's skills; see the other tests. */
const TRIED_ELSEWHERE = [
  'agent_message',
  'run_retry',
  'skill_draft_approve',
  'skill_draft_discard',
  'skill_draft_review',
  'skill_draft_test',
  'skill_hub',
  'skill_import',
  'skill_remove',
  'skill_update',
];

for (const [name, connect] of Object.entries(CLIENTS)) {
  describe(`coppice mcp with ${name}`, function () {
    this.timeout(60_000);
    let stage: Stage;
    let client: AnyClient;

    before(async () => {
      stage = openStage();
      client = await connect(stage);
    });
    after(async () => {
      await client?.close();
      await stage.close();
    });

    const ok = async <T>(tool: string, input: Record<string, unknown> = {}): Promise<T> => {
      const result = await client.call(tool, input);
      assert.notEqual(result.isError, true, `${tool}: ${JSON.stringify(result.content)} ${stage.log()}`);
      assert.deepEqual(JSON.parse((result.content[0] as { text: string }).text), result.structuredContent);
      return result.structuredContent as T;
    };

    it('lists every operation as a tool', async () => {
      const tools = await client.tools();
      assert.deepEqual(
        tools.map((tool) => tool.name),
        operations.map((operation) => operation.name),
      );
    });

    const called = new Set<string>();
    const use = <T>(tool: string, input: Record<string, unknown> = {}): Promise<T> => {
      called.add(tool);
      return ok<T>(tool, input);
    };
    const ended = async (run: string): Promise<{ state: string }> => {
      for (;;) {
        const view = await use<{ state: string; endedAt: number | null }>('run_wait', { run, seconds: 5 });
        if (view.endedAt !== null) return view;
      }
    };

    it('carries a task from start to landing', async () => {
      await use('setup_check', { options: { server: 'rehearsal' } });
      const started = await use<{ run: string; state: string }>('run_start', {
        task: 'Map this repository: write docs/map',
        options: { server: 'rehearsal', budget: 300_000, unattended: true },
        key: 'the same',
      });
      const { run } = started;
      const again = await use<{ run: string }>('run_start', {
        task: 'Map this repository: write docs/map',
        key: 'the same',
      });
      assert.equal(again.run, run);
      let view = await use<{ state: string; endedAt: number | null }>('run_status', { run });
      while (view.endedAt === null) view = await use('run_wait', { run, seconds: 5 });
      assert.equal(view.state, 'completed');
      const { runs } = await use<{ runs: { run: string }[] }>('run_list');
      assert.deepEqual(
        runs.map((item) => item.run),
        [run],
      );
      const page = await use<{ events: { type: string }[]; last: number }>('events', { run, limit: 5000 });
      assert.ok(page.events.some((event) => event.type === 'run.ended'));
      const { agents } = await use<{ agents: { agent: string; state: string }[] }>('agent_list', { run });
      assert.ok(agents.length >= 4 && agents.every((agent) => agent.state === 'completed'));
      const { entries } = await use<{ entries: unknown[] }>('agent_transcript', { agent: agents[0]?.agent });
      assert.ok(entries.length >= 2);
      const budget = await use<{ granted: number; sum: number }>('budget_status', { run });
      assert.deepEqual([budget.granted, budget.sum], [300_000, 300_000]);
      await use('queue_status');
      const { reviews } = await use<{ reviews: { review: string; files: number }[] }>('review_list');
      assert.equal(reviews[0]?.review, 'open');
      const diff = await use<{ files: { path: string }[]; patch: string }>('review_diff', { run });
      const written = diff.files[0]?.path ?? '';
      assert.match(written, /^docs\/map\/\w+\.md$/);
      assert.match(diff.patch, /^\+/m);
      const file = await use<{ text: string | null }>('review_file', { run, path: written, side: 'head' });
      assert.ok(file.text);
      await use('run_resume', { run });
      await use('run_cancel', { run });
      assert.equal((await use<{ kind: string }>('review_land', { run })).kind, 'landed');
      assert.match(stage.repo.git('show', `HEAD:${written}`), /^# /m);
      assert.equal(stage.repo.git('status', '--porcelain'), '');
      const second = await use<{ run: string }>('run_start', {
        task: 'Map this repository: write docs/map',
        options: { server: 'rehearsal', unattended: true },
      });
      await ended(second.run);
      await use('review_discard', { run: second.run });
    });

    it('plans a task, changes the plan, looks at its forecast and carries it out', async () => {
      const { run, plan } = await use<{ run: { run: string }; plan: { steps: { key: string }[] } | null }>(
        'plan_create',
        {
          task: 'Map this repository: write docs/map once more',
          options: { server: 'rehearsal', unattended: true },
        },
      );
      assert.ok(plan && plan.steps.length >= 2);
      const id = run.run;
      const { yaml } = await use<{ yaml: string }>('plan_show', { run: id });
      await use('plan_edit', { run: id, yaml: yaml.replace('Map', 'Draw') });
      const { forecast, summary } = await use<{ forecast: { agents: number }; summary: string }>('forecast', {
        run: id,
      });
      assert.ok(forecast.agents >= 2 && summary.length > 20);
      const advice = await use<{ because: string }>('pattern_recommend', { run: id });
      assert.ok(advice.because.length > 10);
      await use('plan_approve', { run: id });
      await use('agent_pause', { run: id });
      await use('agent_continue', { run: id });
      await ended(id);
      const { path } = await use<{ path: string }>('workflow_save', { run: id, name: 'my-map' });
      assert.match(path, /my-map\.yaml$/);
    });

    it('lists, shows, checks and runs workflows', async () => {
      const { workflows } = await use<{ workflows: { name: string; source: string }[] }>('workflow_list');
      assert.ok(workflows.some(({ name, source }) => name === 'review' && source === 'bundled'));
      const { text } = await use<{ text: string }>('workflow_show', { name: 'review' });
      assert.equal((await use<{ ok: boolean }>('workflow_check', { text })).ok, true);
      const { run } = await use<{ run: string }>('workflow_run', {
        name: 'review',
        parameters: { target: 'the README' },
        options: { server: 'rehearsal', unattended: true },
      });
      await ended(run);
    });

    it('finds, reads, pins and runs skills, and trusts one of its own', async () => {
      const { skills } = await use<{ skills: { name: string }[] }>('skill_list');
      assert.ok(skills.length >= 12);
      const found = await use<{ skills: { name: string }[] }>('skill_search', { query: 'find a bug' });
      assert.ok(found.skills.slice(0, 3).some((skill) => skill.name === 'bug-hunt'));
      await use('skill_read', { name: 'bug-hunt' });
      await use('skill_pin', { name: 'bug-hunt', pinned: true });
      await use('skill_check');
      await use('skill_drafts');
      const { ok: good } = await use<{ ok: boolean }>('skill_run', { name: 'repository-map', input: {} });
      assert.equal(good, true);
      await use('skill_new', { name: 'greet', description: 'Greets a person. Use it to say hello.' });
      const { skill } = await use<{ skill: { hash: string } }>('skill_read', { name: 'greet' });
      await use('skill_trust', { name: 'greet', hash: skill.hash });
      await use('skill_distrust', { name: 'greet' });
      const missing = operations.map((operation) => operation.name).filter((tool) => !called.has(tool));
      assert.deepEqual(missing, TRIED_ELSEWHERE);
    });

    it('gets errors in words, with their code', async () => {
      for (const [tool, input] of [
        ['run_status', { run: 'r-none' }],
        ['agent_transcript', { agent: 'a-none' }],
        ['agent_message', { agent: 'a-none', text: 'Hello' }],
        ['review_land', { run: 'r-none' }],
      ] as const) {
        const result = await client.call(tool, input);
        assert.equal(result.isError, true, tool);
        assert.match((result.content[0] as { text: string }).text, /\(not-found\)$/, tool);
      }
      const wrong = await client.call('run_start', { task: '' });
      assert.equal(wrong.isError, true);
      const word = await client.call('run_start', { task: 'x', options: { budget: -1 } });
      assert.equal(word.isError, true);
    });
  });
}
