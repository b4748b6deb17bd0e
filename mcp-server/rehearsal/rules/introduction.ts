/** How the rules introduce themselves, wherever they do. */
export const INTRODUCTION =
  "This is Coppice's built-in model: rules, not intelligence. It can do one job: map a repository (for example “Map this repository”).";

/** How to get a real model. */
export const HOW_TO_GET_A_MODEL =
  'For anything else, point Coppice at a llama-server: start `llama-server -m MODEL.gguf --jinja -np 4 -c 131072 --port 8080`, then run with `--server http://127.0.0.1:8080` (in VS Code: the setting for the server URL).';

/** The last line of every page that the rules write. */
export const FOOTER =
  "*Written by Coppice's built-in rules, which are not intelligence: only what listing, searching and reading showed.*";

const MAPPING =
  /\b(?:map|maps|mapping|chart|document(?:ed|ing|ation)?|docs|describe|description|overview|summar(?:y|ise|ize)|explain|explore|inventory|catalog(?:ue)?|architecture|tour|guide|understand|readme)\b/i;

/** Whether a task, in a person's words, is plainly the one job that the rules can do. */
export const isAboutMapping = (task: string): boolean => MAPPING.test(task);

/** How the plan names a task that the rules cannot do; its worker knows it by these words. */
export const CANNOT = 'Say that the built-in model cannot do this:';
