import type { Strategy } from './strategy.ts';

/** Deciding what to do: where we are, what is wanted, which ways there are, in which order. */
export const planning: Strategy = {
  name: 'planning',
  signs:
    /\b(?:plan(?:s|ning)?|road-?maps?|milestones?|schedul\w+|timelines?|strateg(?:y|ies)|proposals?|estimat\w+|prioriti[sz]\w+|backlog|requirements?|scope|stakeholders?|launch|goals?|quarter|next year)\b/gi,
  opens:
    /^\W*(?:please\s+)?(?:plan|outline|propose|schedule|estimate|prioriti[sz]e|draft (?:an? |the )?(?:plan|proposal|roadmap)|make (?:an? |the )?(?:plan|roadmap))\b/i,
  roles: ['strategist', 'researcher', 'analyst', 'writer', 'worker'],
  advice: [
    'First where things stand and what is wanted, then ways to get there, then the order with efforts and risks.',
    'Each step writes its own part of the plan to its own file. No step carries the plan out.',
  ],
  phases: [
    {
      key: 'situation',
      title: 'where things stand',
      role: 'researcher',
      task: 'Find out where things stand: what is there, what is wanted, what binds us. Report it with the places; change no files.',
      needs: [],
      from: 'moderate',
      capabilities: ['research'],
      angles: [],
    },
    {
      key: 'options',
      title: 'ways to get there',
      role: 'strategist',
      task: 'Work out the ways to get there. For each: what it takes, what it brings, what could go wrong.',
      needs: ['situation'],
      from: 'complex',
      capabilities: ['planning'],
      angles: [
        'the way with the least change',
        'the way that lasts longest',
        'the way that is done soonest',
        'doing nothing, or something else altogether',
      ],
    },
    {
      key: 'risks',
      title: 'risks and efforts',
      role: 'analyst',
      task: 'Estimate efforts and risks: a range for each, what it depends on, and how one would notice early that it goes wrong.',
      needs: ['options'],
      from: 'enterprise',
      capabilities: ['analysis'],
      angles: [],
    },
    {
      key: 'plan',
      title: 'write the plan',
      role: 'writer',
      task: 'Write the plan: the aim, the steps in their order with what each needs and brings, how success is measured, and what is left out on purpose.',
      needs: ['situation', 'options', 'risks'],
      from: 'moderate',
      capabilities: ['writing'],
      angles: [],
    },
  ],
  specialisations: [
    { role: 'writer', capability: 'writing', when: /\b(?:write|draft|document|outline)\b/i },
    { role: 'analyst', capability: 'analysis', when: /\b(?:estimate\w*|risks?|costs?|compare|efforts?)\b/i },
    { role: 'researcher', capability: 'research', when: /\b(?:find|research|collect|gather|interview|list)\b/i },
    { role: 'strategist', capability: 'planning', when: /./ },
  ],
};
