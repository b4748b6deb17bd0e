const LONGEST_NAME = 64;
const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** `[a-z0-9-]`, no hyphen at an end, none doubled, at most 64 characters. */
export const isSkillName = (name: string): boolean => name.length <= LONGEST_NAME && NAME.test(name);

/** The nearest good name to what a folder is called; empty when there is none. */
export const skillNameOf = (folder: string): string =>
  folder
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, LONGEST_NAME)
    .replace(/-+$/, '');
