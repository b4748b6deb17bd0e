import { extname } from 'node:path';
import type { SkillHold, SkillManifest, SkillPermissions } from '../port.ts';

/** What this machine has to hold scripts of skills with. */
export interface ScriptHolds {
  /** The Node that runs JavaScript knows `--permission`. */
  readonly permissionModel: boolean;
  readonly sandbox: boolean;
}

/** A machine that has nothing. */
export const NO_HOLDS: ScriptHolds = { permissionModel: false, sandbox: false };

const JAVASCRIPT = /^\.[cm]?[jt]s$/;

/** Whether Node runs it, by its ending. */
export const isJavaScript = (entry: string): boolean => JAVASCRIPT.test(extname(entry).toLowerCase());

type Asked = Pick<SkillManifest, 'entry' | 'permissions'>;

/** Whether Node itself could hold the script, given a Node that can: other programs, also those that it starts, are free of it. */
export const isForNode = ({ entry, permissions }: Asked): boolean =>
  entry !== null && isJavaScript(entry) && permissions.commands.length === 0;

/** What holds the script of a skill to what it declares; null: it has none. */
export const holdOf = (manifest: Asked, holds: ScriptHolds): SkillHold | null => {
  if (manifest.entry === null) return null;
  if (holds.permissionModel && isForNode(manifest)) return 'node';
  return holds.sandbox ? 'sandbox' : 'nothing';
};

/** The permissions as they are really held: only Node holds a script to hosts by name, so for any other one host means all. */
export const heldPermissions = (permissions: SkillPermissions, hold: SkillHold | null): SkillPermissions =>
  hold === null || hold === 'node' || permissions.hosts.length === 0 ? permissions : { ...permissions, hosts: ['*'] };
