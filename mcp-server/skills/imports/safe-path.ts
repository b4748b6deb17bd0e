import { hiddenToShow } from '../../domain/text.ts';

/** Names that mean a device on Windows, with any ending. */
const DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;

/** Also `git~1`, which is another name of `.git` on Windows. */
const OBEYED = /^(\.git|git~\d+|\.vscode|\.idea|\.mcp\.json|node_modules|\.npmrc|\.env)$/i;

/**
 * Why a relative path from somebody else's archive or repository must not be written; null when it may be. The rules
 * are those of the strictest system, so that an import means the same everywhere.
 */
export const pathProblem = (path: string): string | null => {
  if (path === '' || path.length > 400) return 'is empty or too long';
  if (/[\t\n\r]/.test(path)) return 'holds control characters';
  const hidden = hiddenToShow(path);
  if (hidden !== null) return `holds control characters or others that cannot be seen (${hidden.name})`;
  if (path.includes('\\')) return 'holds a backslash';
  if (path.startsWith('/')) return 'is absolute';
  if (/[<>:"|?*]/.test(path)) return 'holds a character that is not allowed everywhere';
  for (const part of path.split('/')) {
    if (part === '') return 'has an empty part';
    if (part === '.' || part === '..') return 'leads out of its folder';
    if (/[. ]$/.test(part)) return 'has a part that ends with a dot or a blank';
    if (DEVICE.test(part)) return 'names a device';
    if (part === '__proto__') return 'is no name to keep anything under';
  }
  return null;
};

/** The path is, or is in, what git, editors or package managers obey: a skill has no business to bring it. */
export const isObeyed = (path: string): boolean => path.split('/').some((part) => OBEYED.test(part));
