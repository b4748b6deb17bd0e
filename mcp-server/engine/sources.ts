import type { Agent, EndReason } from '../domain/agent.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import type { Step } from '../domain/plan.ts';
import { oneLine } from '../domain/text.ts';
import type { Reader } from '../store/port.ts';
import { whyMissing } from './missing.ts';

/** Lines that the section has at the most. */
const MOST_LINES = 60;
const MOST_FILES = 6;
const HEADING = '## Sources';

/** The report with its sources, made by the engine from what it knows: who did what, in which files and commits, and what is missing. */
export const reportWithSources = async (reader: Reader, run: RunId, report: string): Promise<string> => {
  if (report.includes(`\n${HEADING}\n`)) return report;
  const steps = await reader.steps(run);
  if (steps.length < 2) return report;
  const agents = new Map((await reader.agents(run)).map((agent) => [agent.id, agent]));
  const undone = new Set((await reader.undos(run)).filter(({ state }) => state === 'done').map(({ agent }) => agent));
  const left = steps.filter((step) => !undone.has(step.agent));
  const lines = linesOf(left, agents, await filesOf(reader, run));
  if (lines.length === 0) return report;
  const shown = lines.slice(0, MOST_LINES);
  if (lines.length > shown.length) shown.push(`- … and ${lines.length - shown.length} more`);
  return `${report.trimEnd()}\n\n${HEADING}\n\n${shown.join('\n')}`;
};

/** What an agent that ends reports: an executive's report names its sources. */
export const withSources = (
  reader: Reader,
  agent: Agent,
  ending: { readonly report: string | null; readonly state: string; readonly reason: EndReason },
): Promise<string | null> | string | null =>
  agent.tier === 'executive' && ending.report !== null && ending.state === 'completed'
    ? reportWithSources(reader, agent.run, ending.report)
    : ending.report;

const linesOf = (
  steps: readonly Step[],
  agents: ReadonlyMap<AgentId, Agent>,
  files: ReadonlyMap<AgentId, readonly string[]>,
): readonly string[] => {
  const needed = new Set(steps.flatMap((step) => step.needs));
  const last = steps.filter((step) => !needed.has(step.key) && !step.subPlan);
  const author = last.length === 1 ? last[0]?.key : undefined;
  const lines: string[] = [];
  const missing: string[] = [];
  for (const step of steps) {
    const agent = agents.get(step.agent);
    if (!agent || step.state === 'pending' || step.state === 'running') continue;
    const why = whyMissing(step, agent);
    // Whoever writes the report is no source of it.
    if (why === null && step.key === author) continue;
    if (why !== null) missing.push(`- Missing: ${oneLine(step.title, 60)}: ${why}`);
    else if (step.state === 'done') lines.push(sourceLine(agent, files.get(agent.id) ?? []));
  }
  return [...missing, ...lines];
};

const sourceLine = (agent: Agent, files: readonly string[]): string => {
  const name = `- ${oneLine(agent.name, 60)}`;
  if (files.length === 0) return `${name}: its report; it changed no file`;
  const more = files.length > MOST_FILES ? ` and ${files.length - MOST_FILES} more` : '';
  return `${name}: ${files.slice(0, MOST_FILES).join(', ')}${more} (${agent.headCommit?.slice(0, 10) ?? ''})`;
};

const filesOf = async (reader: Reader, run: RunId): Promise<ReadonlyMap<AgentId, readonly string[]>> => {
  const found = new Map<AgentId, Set<string>>();
  for (const { agent, files } of await reader.commits(run)) {
    const known = found.get(agent) ?? new Set<string>();
    for (const file of files) known.add(file);
    found.set(agent, known);
  }
  return new Map([...found].map(([agent, files]) => [agent, [...files].sort()]));
};
