import type { Strategy } from './strategy.ts';

/** Judging what is there: measure, look from several sides, conclude. */
export const analysis: Strategy = {
  name: 'analysis',
  signs:
    /\b(?:analy[sz]\w*|measur\w+|metrics?|profil\w+|statistics?|data(?:set)?s?|trends?|audit\w*|assess\w*|evaluat\w+|review\w*|benchmark\w*|bottlenecks?|vulnerabilit\w+|risks?|financial|quality|report|causes?|correlat\w+)\b/gi,
  opens:
    /^\W*(?:please\s+)?(?:analy[sz]e|assess|audit|benchmark|evaluate|measure|profile|review|check|examine|inspect|judge|quantify)\b/i,
  roles: ['analyst', 'researcher', 'tester', 'writer', 'worker'],
  advice: [
    'Each step looks at one part or from one side, and reports numbers and places, not impressions.',
    'Say in each step what is measured, where, and against what it is compared. Change nothing that is being judged.',
  ],
  phases: [
    {
      key: 'collect',
      title: 'collect what there is',
      role: 'researcher',
      task: 'Collect what the analysis needs: which files, data and earlier results there are, how good they are, and what is missing. Report that; change no files.',
      needs: [],
      from: 'complex',
      capabilities: ['research'],
      angles: [],
    },
    {
      key: 'analyse',
      title: 'analyse it',
      role: 'analyst',
      task: 'Analyse what the task asks for. Give numbers and places, say how you got them, and how sure they are.',
      needs: ['collect'],
      from: 'moderate',
      capabilities: ['analysis'],
      angles: [
        'correctness: what is wrong or contradicts itself',
        'performance and cost: what takes time, memory or money',
        'structure: what is hard to understand or to change, and why',
        'security and safety: what could be misused or lost',
        'completeness: what is missing or not covered',
        'trends: what changes over time, and in which direction',
      ],
    },
    {
      key: 'conclude',
      title: 'conclude',
      role: 'writer',
      task: 'Write what follows: the conclusions in order of their weight, each with the numbers and places that it rests on, then what should be done.',
      needs: ['analyse'],
      from: 'moderate',
      capabilities: ['writing'],
      angles: [],
    },
  ],
  specialisations: [
    { role: 'writer', capability: 'writing', when: /\b(?:write|report|summar\w+|conclu\w+|recommend\w*)\b/i },
    { role: 'analyst', capability: 'financial', when: /\b(?:financ\w+|costs?|revenue|budget|prices?)\b/i },
    { role: 'analyst', capability: 'security', when: /\b(?:security|vulnerabilit\w+|attack\w*|secrets?)\b/i },
    { role: 'tester', capability: 'tests', when: /\b(?:benchmark\w*|measure\w*|profile|run)\b/i },
    { role: 'analyst', capability: 'analysis', when: /./ },
  ],
};
