import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMANDS, CONTEXT, MCP_PROVIDER, SETTINGS, SKILL_COMMANDS, VIEWS } from '../../../extension/ids.ts';
import { DEFAULTS } from '../../../mcp-server/config.ts';
import { DISTRIBUTIONS } from '../../../mcp-server/domain/plan.ts';

interface Entry {
  readonly command: string;
  readonly when?: string;
  readonly group?: string;
}
interface Manifest {
  readonly icon: string;
  readonly capabilities: {
    readonly untrustedWorkspaces: { readonly supported: string; readonly restrictedConfigurations: string[] };
  };
  readonly contributes: {
    readonly commands: {
      readonly command: string;
      readonly title: string;
      readonly category: string;
      readonly icon?: string;
    }[];
    readonly menus: Record<string, Entry[]>;
    readonly viewsContainers: { readonly activitybar: { readonly icon: string }[] };
    readonly views: Record<string, { readonly id: string; readonly visibility?: string; readonly when?: string }[]>;
    readonly viewsWelcome: { readonly view: string; readonly when: string; readonly contents: string }[];
    readonly configuration: {
      readonly properties: Record<
        string,
        { readonly markdownDescription?: string; readonly default: unknown; readonly scope: string }
      >;
    };
    readonly configurationDefaults: Record<string, Record<string, boolean>>;
    readonly yamlValidation: { readonly fileMatch: string; readonly url: string }[];
    readonly jsonValidation: { readonly fileMatch: string; readonly url: string }[];
    readonly mcpServerDefinitionProviders: { readonly id: string; readonly label: string }[];
  };
}

const root = join(import.meta.dirname, '../../..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const { contributes } = manifest;
const declared = contributes.commands.map((entry) => entry.command).toSorted();

describe('the manifest of the extension', () => {
  it('declares exactly the commands that the code registers, each with title and category', () => {
    assert.deepEqual(declared, [...Object.values(COMMANDS), ...Object.values(SKILL_COMMANDS)].toSorted());
    for (const entry of contributes.commands) {
      assert.equal(entry.category, 'Coppice', entry.command);
      assert.ok(entry.title.length > 2, entry.command);
    }
  });

  it('declares exactly the views and the MCP provider of the code', () => {
    const views = Object.values(contributes.views).flat();
    assert.deepEqual(views.map((view) => view.id).toSorted(), Object.values(VIEWS).toSorted());
    assert.deepEqual(
      contributes.mcpServerDefinitionProviders.map((provider) => provider.id),
      [MCP_PROVIDER],
    );
  });

  it('declares exactly the settings that the code reads, each with a description', () => {
    const names = Object.keys(contributes.configuration.properties);
    assert.deepEqual(
      names.toSorted(),
      Object.values(SETTINGS)
        .map((name) => `coppice.${name}`)
        .toSorted(),
    );
    for (const [name, setting] of Object.entries(contributes.configuration.properties)) {
      assert.ok((setting.markdownDescription ?? '').length > 20, name);
      assert.ok(setting.scope, name);
    }
  });

  it('has the defaults of the engine', () => {
    const value = (name: string): unknown => contributes.configuration.properties[`coppice.${name}`]?.default;
    assert.equal(value(SETTINGS.serverUrl), DEFAULTS.server);
    assert.equal(value(SETTINGS.defaultBudget), DEFAULTS.budget);
    assert.equal(value(SETTINGS.maxDepth), DEFAULTS.maxDepth);
    assert.equal(value(SETTINGS.maxAgents), DEFAULTS.maxAgents);
    assert.deepEqual([value(SETTINGS.commands), DEFAULTS.permissions.commands], [[], 'off']);
    const { fanIn, retries, distribution, servers, levelNames } = DEFAULTS.planning;
    const { fanIn: joins, retries: tries, distribution: how, servers: further, levelNames: names } = SETTINGS;
    assert.deepEqual([joins, tries, how, further, names].map(value), [
      fanIn,
      retries,
      distribution,
      servers,
      levelNames,
    ]);
    assert.equal(value(SETTINGS.skillHub), DEFAULTS.skillHub);
    assert.deepEqual(value(SETTINGS.skillHubHosts), DEFAULTS.skillHubHosts);
    // These stand for what the engine calls null.
    assert.deepEqual([SETTINGS.pattern, SETTINGS.workers, SETTINGS.maxForecastTokens].map(value), ['', 0, 0]);
  });

  it('offers every pattern and distribution of the engine', () => {
    const choices = (name: string): unknown =>
      (contributes.configuration.properties[`coppice.${name}`] as { enum?: unknown }).enum;
    assert.deepEqual(choices(SETTINGS.distribution), [...DISTRIBUTIONS]);
    assert.deepEqual(choices(SETTINGS.pattern), ['', 'fork-join', 'map-reduce', 'pipeline', 'scatter-gather', 'saga']);
  });

  it('gives editors the schemas of workflows and of skill manifests', () => {
    const all = [...contributes.yamlValidation, ...contributes.jsonValidation];
    for (const { url } of all) assert.ok(existsSync(join(root, url)), url);
    assert.ok(all.some(({ fileMatch }) => fileMatch === '.coppice/workflows/*.yaml'));
    assert.ok(all.some(({ fileMatch }) => fileMatch === '**/skills/*/manifest.json'));
  });

  it('keeps further servers to the machine of the person, as the first one', () => {
    for (const name of [SETTINGS.servers, SETTINGS.skillHub, SETTINGS.skillHubHosts])
      assert.equal(contributes.configuration.properties[`coppice.${name}`]?.scope, 'machine', name);
  });

  it('names only commands and context keys that exist in menus and welcome texts', () => {
    const used = Object.values(contributes.menus).flatMap((entries) => entries.map((entry) => entry.command));
    const linked = contributes.viewsWelcome.flatMap((entry) =>
      [...entry.contents.matchAll(/command:(coppice\.\w+)/g)].map((match) => match[1]),
    );
    for (const command of [...used, ...linked]) assert.ok(declared.includes(command ?? ''), command);
    const whens = [...Object.values(contributes.menus).flat(), ...contributes.viewsWelcome].map(
      (entry) => entry.when ?? '',
    );
    const names: string[] = [...Object.values(CONTEXT), ...Object.values(VIEWS)];
    for (const key of whens.flatMap((when) => when.match(/coppice\.\w+/g) ?? [])) assert.ok(names.includes(key), key);
  });

  it('hides every command that needs an engine where none may start', () => {
    const palette = new Map((contributes.menus['commandPalette'] ?? []).map((entry) => [entry.command, entry.when]));
    for (const command of declared.filter((id) => id !== COMMANDS.showLog && id !== COMMANDS.setApiKey)) {
      const [trusted, folder] = palette.get(command)?.split(' && ') ?? [];
      assert.deepEqual([trusted, folder], ['isWorkspaceTrusted', 'workspaceFolderCount > 0'], command);
    }
  });

  it('offers what works on a run or a skill of some state only where there may be one', () => {
    const palette = new Map((contributes.menus['commandPalette'] ?? []).map((entry) => [entry.command, entry.when]));
    const { reviewChanges, landChanges, retryFailed, runPlan, continueAgents, cancelRun } = COMMANDS;
    const { approveDraft, updateSkill, trustSkill, distrustSkill, unpinSkill } = SKILL_COMMANDS;
    // Without an engine nobody knows; the command then says why there is none.
    for (const [key, commands] of [
      [CONTEXT.hasReviewable, [reviewChanges, landChanges]],
      [CONTEXT.hasRetryable, [retryFailed]],
      [CONTEXT.hasWaitingPlan, [runPlan]],
      [CONTEXT.hasPaused, [continueAgents]],
      [CONTEXT.hasActive, [cancelRun]],
      [CONTEXT.hasDrafts, [approveDraft]],
      [CONTEXT.hasImports, [updateSkill]],
      [CONTEXT.hasUntrusted, [trustSkill]],
      [CONTEXT.hasTrusted, [distrustSkill]],
      [CONTEXT.hasPinned, [unpinSkill]],
    ] as const)
      for (const command of commands)
        assert.ok(palette.get(command)?.endsWith(` && (${key} || coppice.engine != ready)`), command);
  });

  it('has an icon for every command that is drawn as a button', () => {
    const icons = new Map(contributes.commands.map(({ command, icon }) => [command, icon]));
    const isButton = ({ group = '' }: Entry): boolean => group.startsWith('navigation') || group.startsWith('inline');
    const buttons = ['view/title', 'view/item/context', 'editor/title'].flatMap((menu) =>
      (contributes.menus[menu] ?? []).filter(isButton),
    );
    assert.ok(buttons.length > 20);
    for (const { command } of buttons) assert.match(icons.get(command) ?? '', /^\$\([a-z-]+\)$/, command);
  });

  it('opens the agents and the plan at first, and leaves the other views closed', () => {
    const open = Object.values(contributes.views)
      .flat()
      .filter(({ visibility }) => visibility !== 'collapsed');
    assert.deepEqual(
      open.map(({ id }) => id),
      [VIEWS.agents, VIEWS.plan],
    );
    assert.ok(
      open.every(({ when }) => when === undefined),
      'a view that comes later gets the smallest size',
    );
  });

  it('restricts what a folder could use to send code away or to run programs', () => {
    const { supported, restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;
    assert.equal(supported, 'limited');
    for (const name of [SETTINGS.serverUrl, SETTINGS.servers, SETTINGS.commands])
      assert.ok(restrictedConfigurations.includes(`coppice.${name}`), name);
  });

  it('keeps the working folder out of the watcher and of the search', () => {
    for (const key of ['files.watcherExclude', 'search.exclude']) {
      assert.deepEqual(contributes.configurationDefaults[key], { '**/.coppice/**': true });
    }
  });

  it('points to pictures that are there', () => {
    for (const path of [manifest.icon, ...contributes.viewsContainers.activitybar.map((container) => container.icon)]) {
      assert.ok(existsSync(join(root, path)), path);
    }
  });
});
