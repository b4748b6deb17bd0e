import { heldPermissions } from './execute/hold.ts';
import type { SkillHold, SkillPermissions, SkillSummary } from './port.ts';

/** What a skill asks for, and what of that is held. */
export type AskedAndHeld = Pick<SkillSummary, 'kind' | 'manifest' | 'hold'>;

/** Permissions in words, one each, for people. */
export const permissionLines = (permissions: SkillPermissions): readonly string[] => [
  ...permissions.read.map((glob) => `read ${glob}`),
  ...permissions.write.map((glob) => `write ${glob}`),
  ...permissions.commands.map((command) => `run ${command}`),
  ...permissions.hosts.map((host) => (host === '*' ? 'talk to any host' : `talk to ${host}`)),
];

/** What a skill asks for, as it is held on this machine. */
export const askLines = ({ manifest, hold }: AskedAndHeld): readonly string[] => {
  const { permissions } = manifest;
  const held = heldPermissions(permissions, hold);
  const named = held === permissions ? [] : permissions.hosts.filter((host) => host !== '*');
  return [
    ...permissionLines({ ...held, hosts: named.length > 0 ? [] : held.hosts }),
    ...(named.length > 0 ? [`talk to any host: nothing holds it to ${named.slice(0, 5).join(', ')}`] : []),
    ...(hold === 'sandbox' && permissions.commands.includes('git') ? [GIT] : []),
    ...BESIDES[hold ?? 'node'],
  ];
};

/** A sandbox shows git's own files to what declares it, to be read. */
const GIT = 'read all that git keeps of the repository: its history and its settings';

/** What a grant comes to besides. */
const BESIDES: Readonly<Record<SkillHold, readonly string[]>> = {
  node: [],
  sandbox: ['start any program of the system, which the sandbox holds to the same'],
  nothing: ['do all that you can do: nothing on this machine holds its script to this list'],
};

/** What a skill may do once it is trusted, in words for a person. */
export const mayLines = (skill: AskedAndHeld): readonly string[] => [
  ...(skill.kind === 'script' ? [`run its script ${skill.manifest.entry ?? ''}`] : []),
  ...askLines(skill),
];

/** What holds a script to these lines, as a sentence; null: there is none. */
export const heldLine = (hold: SkillHold | null): string | null => (hold === null ? null : HELD[hold]);

/** What would help where nothing holds a script. */
export const NO_SANDBOX =
  'On Linux a sandbox is used once bubblewrap is installed and works; JavaScript that declares no commands needs none.';

const HELD: Readonly<Record<SkillHold, string>> = {
  node: 'Node holds its script to this.',
  sandbox: 'A sandbox holds its script, and all that it starts, to this.',
  nothing: `Nothing on this machine holds its script to this. ${NO_SANDBOX}`,
};
