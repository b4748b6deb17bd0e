import type { Icon } from '@modelcontextprotocol/server';

const svg = (body: string): Icon[] => [
  {
    src: `data:image/svg+xml;base64,${Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="none" stroke="#3f7d3c" stroke-width="1.4" stroke-linecap="round">${body}</svg>`,
    ).toString('base64')}`,
    mimeType: 'image/svg+xml',
    sizes: ['any'],
  },
];

const SHAPES = {
  coppice: svg('<path d="M8 15V3M8 12C4 11 3 8 3 4M8 12c4-1 5-4 5-8M5 15h6"/>'),
  run: svg('<path d="M5 3l8 5-8 5z"/>'),
  agent: svg('<circle cx="8" cy="5" r="2.5"/><path d="M3 14c0-3 2-5 5-5s5 2 5 5"/>'),
  review: svg('<path d="M5 3v10M11 3v5M5 13h3M8.5 11L11 13l3-4"/>'),
  budget: svg('<path d="M3 13V8M8 13V3M13 13V6"/>'),
  skill: svg('<path d="M3 3h7l3 3v7H3zM10 3v3h3M5.5 9h5M5.5 11h3"/>'),
  events: svg('<path d="M3 4h10M3 8h10M3 12h6"/>'),
} as const;

const BY_PREFIX: Readonly<Record<string, keyof typeof SHAPES>> = {
  run: 'run',
  agent: 'agent',
  review: 'review',
  budget: 'budget',
  queue: 'budget',
  skill: 'skill',
  events: 'events',
};

/** The icon of the product, or of what an operation's name begins with. Drawn in the data, so that nothing is fetched. */
export const iconsOf = (name: string): Icon[] => [...SHAPES[BY_PREFIX[name.split('_')[0] ?? ''] ?? 'coppice']];
