import type { Strategy } from './strategy.ts';

/** Finding out what is known: ask from several sides, compare, write up with sources. */
export const research: Strategy = {
  name: 'research',
  signs:
    /\b(?:research\w*|literature|papers?|sources?|state of the art|find out|investigat\w+|stud(?:y|ies)|evidence|explor\w+|survey\w*|overview|compar\w+|alternatives?|how does|why does|background|news)\b/gi,
  opens:
    /^\W*(?:please\s+)?(?:research|investigate|find out|explore|survey|study|look into|look up|what|how|why|which|who)\b/i,
  roles: ['researcher', 'analyst', 'writer', 'worker'],
  advice: [
    'Each step answers one question of its own, from its own sources, and writes what it found to its own file with the place of each finding.',
    'Comparing and writing up needs the findings, so it comes after them.',
  ],
  phases: [
    {
      key: 'find',
      title: 'find out',
      role: 'researcher',
      task: 'Find what answers the task. Write down each finding with the place where it is said, and what stays open.',
      needs: [],
      from: 'moderate',
      capabilities: ['research'],
      angles: [
        'what is there now: facts, figures, and how it works',
        'other ways to do it, and who does it so',
        'limits, risks, and what speaks against it',
        'what has changed lately, and what is likely to come',
        'what it means for the people who use it',
        'gaps: what nobody has answered yet',
      ],
    },
    {
      key: 'compare',
      title: 'compare the findings',
      role: 'analyst',
      task: 'Compare the findings: where they agree, where they contradict each other, how sure each one is. Report what follows from them.',
      needs: ['find'],
      from: 'complex',
      capabilities: ['analysis'],
      angles: [],
    },
    {
      key: 'write',
      title: 'write the report',
      role: 'writer',
      task: 'Write the report that answers the task, from the findings alone: the answer first, then the reasons with their sources, then what stays open.',
      needs: ['find', 'compare'],
      from: 'moderate',
      capabilities: ['writing'],
      angles: [],
    },
  ],
  specialisations: [
    { role: 'writer', capability: 'writing', when: /\b(?:write|report|summar\w+|conclu\w+|document)\b/i },
    { role: 'analyst', capability: 'analysis', when: /\b(?:analy\w+|compar\w+|trends?|gaps?|rank|evaluate)\b/i },
    { role: 'researcher', capability: 'research', when: /./ },
  ],
};
