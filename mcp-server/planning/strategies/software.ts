import type { Strategy } from './strategy.ts';

/** Changing code: design, build, test, document. */
export const software: Strategy = {
  name: 'software',
  signs:
    /\b(?:code|bugs?|crash\w*|functions?|class(?:es)?|modules?|apis?|endpoints?|refactor\w*|implement\w*|compile\w*|librar(?:y|ies)|tests?|types?|parser|database|frontend|backend|cli|flags?|commands?|dependenc(?:y|ies)|typescript|javascript|python|rust|java)\b/gi,
  opens:
    /^\W*(?:please\s+)?(?:add|build|debug|develop|fix|implement|integrate|migrate|port|refactor|remove|rename|replace|rewrite|simplify|speed up|test|upgrade)\b/i,
  roles: ['worker', 'architect', 'tester', 'reviewer', 'writer'],
  advice: [
    'Split along modules and interfaces, not along file types. What several steps rely on is decided in one early step.',
    'The step that changes code also changes its tests, unless the tests are a large work of their own.',
  ],
  phases: [
    {
      key: 'design',
      title: 'design it',
      role: 'architect',
      task: 'Read what is there and decide how it will be done: which files change or are new, what each of them does, the names and signatures that the parts share, and how it will be tested. Report that; change no files.',
      needs: [],
      from: 'complex',
      capabilities: ['design'],
      angles: [],
    },
    {
      key: 'build',
      title: 'build it',
      role: 'worker',
      task: 'Make the change itself, with the tests that belong to it. Keep to the style of the code around it.',
      needs: ['design'],
      from: 'moderate',
      capabilities: ['code'],
      angles: [],
    },
    {
      key: 'test',
      title: 'test it',
      role: 'tester',
      task: 'Test the change that was made: what it should do, its limits, and wrong input. Mend what the tests show.',
      needs: ['build'],
      from: 'moderate',
      capabilities: ['tests'],
      angles: [],
    },
    {
      key: 'document',
      title: 'document it',
      role: 'writer',
      task: 'Bring the documents of the repository up to the change: README, help texts, change log, comments that no longer hold. Change no code.',
      needs: ['build'],
      from: 'complex',
      capabilities: ['writing'],
      angles: [],
    },
    {
      key: 'review',
      title: 'review it',
      role: 'reviewer',
      task: 'Review the whole change against the task: correctness, security, what was forgotten. Put right what is small; report the rest with the places.',
      needs: ['test', 'document'],
      from: 'enterprise',
      capabilities: ['review'],
      angles: [],
    },
  ],
  specialisations: [
    { role: 'tester', capability: 'tests', when: /\b(?:tests?|testing|coverage|fuzz\w*)\b/i },
    { role: 'writer', capability: 'writing', when: /\b(?:document\w*|docs|readme|changelog|tutorials?|comments?)\b/i },
    { role: 'reviewer', capability: 'review', when: /\b(?:review|audit)\b/i },
    { role: 'worker', capability: 'sql', when: /\b(?:sql|database|migrations?|schemas?|queries)\b/i },
    { role: 'worker', capability: 'frontend', when: /\b(?:ui|css|html|frontend|components?|screens?|pages?)\b/i },
    { role: 'worker', capability: 'code', when: /./ },
  ],
};
