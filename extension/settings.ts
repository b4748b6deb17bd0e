import * as vscode from 'vscode';
import { SETTINGS } from './ids.ts';
import type { StartOptions } from './operations.ts';

const SECTION = 'coppice';

/** Tokens that a new run is offered. */
export const defaultBudget = (): number => configuration().get<number>(SETTINGS.defaultBudget, 500_000);

/** True: a plan waits for the person's word before its agents begin. */
export const confirmsPlans = (): boolean => configuration().get<boolean>(SETTINGS.confirmPlans, true);

/**
 * What the person has set for runs. What was left alone is left out, so that the settings file of the repository and
 * the defaults of the engine still count.
 */
export const startOptions = (): StartOptions => {
  const server = (chosen(SETTINGS.serverUrl) as string | undefined)?.trim();
  const model = (chosen(SETTINGS.serverModel) as string | undefined)?.trim();
  const concurrency = chosen(SETTINGS.concurrency) as number | undefined;
  return {
    ...(server && { server }),
    ...(model && { model }),
    ...defined('maxDepth', chosen(SETTINGS.maxDepth) as number | undefined),
    ...defined('maxAgents', chosen(SETTINGS.maxAgents) as number | undefined),
    ...defined('concurrency', concurrency || undefined),
    ...defined('permissions', permissions(chosen(SETTINGS.commands) as string[] | undefined)),
    ...planningOptions(),
  };
};

/** How the person wants runs planned; 0 and the empty word stand for what the engine finds best. */
const planningOptions = (): Pick<StartOptions, 'planning'> => {
  const pattern = chosen(SETTINGS.pattern) as NonNullable<StartOptions['planning']>['pattern'] | '';
  const servers = chosen(SETTINGS.servers) as readonly FurtherServer[] | undefined;
  const planning = {
    ...defined('pattern', pattern || undefined),
    ...defined('workers', (chosen(SETTINGS.workers) as number | undefined) || undefined),
    ...defined('fanIn', chosen(SETTINGS.fanIn) as number | undefined),
    ...defined('retries', chosen(SETTINGS.retries) as number | undefined),
    ...defined('distribution', chosen(SETTINGS.distribution) as Distribution | undefined),
    ...defined('maxForecastTokens', (chosen(SETTINGS.maxForecastTokens) as number | undefined) || undefined),
    ...defined('levelNames', chosen(SETTINGS.levelNames) as string[] | undefined),
    ...defined(
      'servers',
      servers?.map(({ server, model, capabilities }) => ({
        server,
        model: model || null,
        capabilities: capabilities ?? [],
      })),
    ),
  };
  return Object.keys(planning).length > 0 ? { planning } : {};
};

type Distribution = NonNullable<StartOptions['planning']>['distribution'];
type FurtherServer = { readonly server: string; readonly model?: string; readonly capabilities?: string[] };

/** The same settings as variables of the engine, which reads some of them only when it starts. */
export const engineEnvironment = (): Record<string, string> => {
  const { server, model, permissions } = startOptions();
  const commands = permissions?.commands;
  const hub = (chosen(SETTINGS.skillHub) as string | undefined)?.trim();
  const hosts = chosen(SETTINGS.skillHubHosts) as string[] | undefined;
  return {
    ...(hub && { COPPICE_SKILL_HUB: hub }),
    ...(hosts && hosts.length > 0 && { COPPICE_SKILL_HUB_HOSTS: hosts.join(',') }),
    ...(server && { COPPICE_SERVER: server }),
    ...(model && { COPPICE_MODEL: model }),
    ...(commands && { COPPICE_COMMANDS: typeof commands === 'string' ? commands : commands.allowed.join(',') }),
  };
};

/** Calls back when a setting was changed that the engine reads only when it starts. */
export const onEngineSettingsChanged = (listener: () => void): vscode.Disposable =>
  vscode.workspace.onDidChangeConfiguration((event) => {
    const { serverUrl: url, serverModel, commands, skillHub, skillHubHosts } = SETTINGS;
    const names = [url, serverModel, commands, skillHub, skillHubHosts];
    if (names.some((name) => event.affectsConfiguration(`${SECTION}.${name}`))) listener();
  });

/** Where the model is asked, as far as the editor knows. */
export const serverUrl = (): string => configuration().get<string>(SETTINGS.serverUrl, '').trim();

/** The key for the server of the settings, from the editor's secret store; undefined when there is none. */
export const readApiKey = async (secrets: vscode.SecretStorage): Promise<string | undefined> => secrets.get(keyName());

/** Keeps the key for the server of the settings, or forgets it when `key` is empty. */
export const storeApiKey = async (secrets: vscode.SecretStorage, key: string): Promise<void> => {
  if (key) await secrets.store(keyName(), key);
  else await secrets.delete(keyName());
};

/** A key belongs to one server: a folder whose settings name another one must not get it. */
const keyName = (): string => `coppice.apiKey ${URL.canParse(serverUrl()) ? new URL(serverUrl()).origin : serverUrl()}`;

const configuration = (): vscode.WorkspaceConfiguration => vscode.workspace.getConfiguration(SECTION);

/** A value that somebody set, not the default. Restricted settings of an untrusted workspace do not count. */
const chosen = (name: string): unknown => {
  const found = configuration().inspect(name);
  const isSet =
    found?.globalValue !== undefined ||
    found?.workspaceValue !== undefined ||
    found?.workspaceFolderValue !== undefined;
  return isSet ? configuration().get(name) : undefined;
};

const permissions = (programs: readonly string[] | undefined): StartOptions['permissions'] => {
  if (!programs) return undefined;
  if (programs.includes('*')) return { commands: 'any' };
  return { commands: programs.length > 0 ? { allowed: [...programs] } : 'off' };
};

const defined = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
