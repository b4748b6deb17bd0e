import type { AgentView, TranscriptEntry } from '../mcp-server/operations/views.ts';
import { cacheHit } from './describe.ts';
import { clockTime, count, duration, fenced, headLines, percent, tokens } from './format.ts';

type AnswerEntry = Extract<TranscriptEntry, { kind: 'answer' }>;

/** Lines of a tool's output that the page shows. */
const OUTPUT_LINES = 80;

/** The whole conversation of an agent as a Markdown page that a person can read from top to bottom. */
export const transcriptPage = (agent: AgentView, entries: readonly TranscriptEntry[], subtreeUsed: number): string =>
  [`# ${agent.name}`, heading(agent, subtreeUsed), ...entries.map(entryBlock), ending(agent)]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n');

const heading = (agent: AgentView, subtreeUsed: number): string => {
  const cached = cacheHit(agent);
  return [
    `**${agent.state}**${agent.action && ` — ${agent.action}`}`,
    agent.role === agent.tier ? agent.tier : `${agent.tier}, ${agent.role}`,
    `${tokens(agent.tokens.used)} of ${tokens(agent.tokens.granted)} tokens${subtreeUsed > agent.tokens.used ? `, ${tokens(subtreeUsed)} with all below` : ''}`,
    ...(cached ? [`prompt from the cache: ${cached}`] : []),
    count(agent.turns, 'turn'),
  ].join(' · ');
};

const entryBlock = (entry: TranscriptEntry): string => {
  if (entry.kind === 'answer') return answerBlock(entry);
  if (entry.kind === 'task') return `## Task\n\n${entry.text}`;
  return `## ${messageTitle(entry.messageKind, entry.from)} · ${clockTime(entry.at)}\n\n${entry.text}`;
};

const messageTitle = (kind: string, from: string): string =>
  ({ steer: 'Message from you', report: `Report of ${from}`, notice: 'Notice of the engine' })[kind] ??
  `Message from ${from}`;

const answerBlock = (entry: AnswerEntry): string => {
  const title = { 'wrap-up': 'Wrap-up turn', plan: 'Planning turn' }[entry.turnKind] ?? 'Turn';
  const blocks = [`## ${title} ${entry.seq} · ${clockTime(entry.at)}`, numbers(entry)];
  if (entry.answer === null) blocks.push('*The model has not answered yet.*');
  else {
    if (entry.answer.reasoning) blocks.push(entry.answer.reasoning.trim().replaceAll(/^/gm, '> '));
    if (entry.answer.content) blocks.push(entry.answer.content.trim());
    if (entry.answer.finish === 'length') blocks.push('*The answer was cut off at the token limit.*');
  }
  blocks.push(...entry.calls.map(callBlock));
  if (entry.commit) blocks.push(`Committed as \`${entry.commit.slice(0, 10)}\`.`);
  return blocks.filter(Boolean).join('\n\n');
};

const numbers = (entry: AnswerEntry): string => {
  const { usage, timings } = entry;
  const parts: string[] = [];
  if (usage) {
    parts.push(`prompt ${tokens(usage.prompt)} (${percent(usage.cached, usage.prompt)} from the cache)`);
    parts.push(`answer ${tokens(usage.completion)}`);
  }
  if (timings)
    parts.push(`queue ${duration(timings.queueMs)}, first token ${(timings.firstTokenMs / 1000).toFixed(1)} s`);
  return parts.length > 0 ? `*${parts.join(' · ')}*` : '';
};

const callBlock = (call: AnswerEntry['calls'][number]): string => {
  const mark = call.state === 'waiting' ? '…' : call.ok ? '✓' : '✗';
  const { short, long } = argumentsOf(call.arguments);
  const blocks = [`### ${[mark, call.tool, ...short].join(' ')}`, ...long];
  if (call.state === 'waiting') blocks.push('*Waiting for the answer.*');
  else if (call.output) blocks.push(fenced(headLines(call.output, OUTPUT_LINES)));
  return blocks.join('\n\n');
};

/** Short values go into the heading, long ones into blocks of their own; what is no JSON object is shown as it came. */
const argumentsOf = (text: string): { short: string[]; long: string[] } => {
  const entries = parsedEntries(text);
  if (!entries) return { short: [], long: [fenced(text)] };
  const isShort = (value: string): boolean => value.length <= 60 && !value.includes('\n');
  return {
    short: entries.filter(([, value]) => isShort(value)).map(([name, value]) => `${name}=\`${value}\``),
    long: entries
      .filter(([, value]) => !isShort(value))
      .map(([name, value]) => `${name}:\n\n${fenced(headLines(value, OUTPUT_LINES))}`),
  };
};

const parsedEntries = (text: string): [string, string][] | undefined => {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value !== 'object' || value === null) return undefined;
    return Object.entries(value).map(([name, part]) => [name, typeof part === 'string' ? part : JSON.stringify(part)]);
  } catch {
    return undefined;
  }
};

const ending = (agent: AgentView): string => {
  if (agent.question !== null) return `## Question to you\n\n${agent.question}`;
  if (agent.error !== null) return `## Failed\n\n${agent.error}`;
  return agent.report === null ? '' : `## Report\n\n${agent.report}`;
};
