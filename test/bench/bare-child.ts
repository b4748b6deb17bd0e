import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OpenAI } from 'openai';
import { measure, serve, type Used } from './child.ts';
import { FAN_IN, PATH, type Shape, SLOTS, taskOf } from './shape.ts';

type Message = OpenAI.ChatCompletionMessageParam;
type Tool = OpenAI.ChatCompletionTool;

/** The texts and tools that Coppice sends too, so that both carry the same bytes. */
export interface BareTexts {
  readonly planner: string;
  readonly worker: string;
  readonly synthesizer: string;
  readonly executive: string;
  readonly tools: readonly Tool[];
  readonly planSchema: Record<string, unknown>;
}

interface Job {
  readonly url: string;
  readonly root: string;
  readonly shape: Shape;
  readonly warmUp: Shape;
  readonly texts: BareTexts;
  /** Calls at once; absent: SLOTS. */
  readonly slots?: number;
  /** True: nobody plans, and those who join are joined again, until one is left. */
  readonly levels?: boolean;
}

/** At most `most` at once; the rest waits in line. */
const limited = (most: number) => {
  const waiting: (() => void)[] = [];
  let free = most;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
};

interface Reply {
  readonly text: string;
  readonly call: { readonly id: string; readonly name: string; readonly arguments: string } | null;
}

const createAsk = (client: OpenAI, inTurn: ReturnType<typeof limited>) => {
  const stream = async (body: Partial<OpenAI.ChatCompletionCreateParamsStreaming>): Promise<Reply> => {
    const chunks = await client.chat.completions.create({
      model: 'bench',
      messages: [],
      max_tokens: 4096,
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let call: { id: string; name: string; arguments: string } | null = null;
    for await (const chunk of chunks) {
      const delta = chunk.choices[0]?.delta;
      text += delta?.content ?? '';
      const made = delta?.tool_calls?.[0];
      if (!made) continue;
      call ??= { id: '', name: '', arguments: '' };
      call.id ||= made.id ?? '';
      call.name ||= made.function?.name ?? '';
      call.arguments += made.function?.arguments ?? '';
    }
    return { text, call };
  };
  return (body: Partial<OpenAI.ChatCompletionCreateParamsStreaming>): Promise<Reply> => inTurn(() => stream(body));
};

/** The same calls in the same order of need, with the openai package as it comes and nothing else. */
const carryOut = async (job: Job, client: OpenAI, shape: Shape): Promise<void> => {
  const { root, texts } = job;
  const ask = createAsk(client, limited(job.slots ?? SLOTS));
  const task = taskOf(shape);
  const begin = (system: string, user: string): Message[] => [
    { role: 'system', content: system },
    { role: 'user', content: user },
  ];
  const tools = [...texts.tools];
  const worker = async (step: { task: string }): Promise<string> => {
    const messages = begin(texts.worker, `Your task:\n${step.task}\n\nThe whole task of the team is:\n${task}`);
    const { call } = await ask({ messages, tools });
    if (!call) throw new Error('No tool call.');
    const { path } = JSON.parse(call.arguments) as { path: string };
    const content = await readFile(join(root, path), 'utf8');
    const { id, name } = call;
    messages.push(
      { role: 'assistant', tool_calls: [{ id, type: 'function', function: { name, arguments: call.arguments } }] },
      { role: 'tool', tool_call_id: id, content },
    );
    return (await ask({ messages, tools })).text;
  };
  const join_ = async (system: string, reports: Promise<string[]>): Promise<string> => {
    const messages = begin(system, `${(await reports).join('\n\n')}\n\nThe whole task of the team is:\n${task}`);
    return (await ask({ messages, tools })).text;
  };
  const tier = (system: string, below: readonly Promise<string>[], groups: number): Promise<string>[] => {
    const at = (group: number): number => Math.floor((group * below.length) / groups);
    return Array.from({ length: groups }, (_, group) =>
      join_(system, Promise.all(below.slice(at(group), at(group + 1)))),
    );
  };
  if (job.levels) {
    let results = Array.from({ length: shape.workers }, (_, n) => worker({ task: `Read ${PATH}, part ${n + 1}` }));
    while (results.length > 1) {
      const groups = Math.ceil(results.length / FAN_IN);
      results = tier(groups === 1 ? texts.executive : texts.synthesizer, results, groups);
    }
    if ((await results[0]) === '') throw new Error('No report.');
    return;
  }
  const schema = { name: 'plan', schema: texts.planSchema, strict: true };
  const plan = await ask({
    messages: begin(texts.planner, task),
    max_tokens: 40_000,
    response_format: { type: 'json_schema', json_schema: schema },
  });
  const { steps } = JSON.parse(plan.text) as { steps: { task: string }[] };
  const reports = steps.map(worker);
  const joined = Promise.all(tier(texts.synthesizer, reports, Math.floor(steps.length / FAN_IN)));
  if ((await join_(texts.executive, joined)) === '') throw new Error('No report.');
};

serve(async (given): Promise<Used> => {
  const job = given as Job;
  const client = new OpenAI({ baseURL: `${job.url}/v1`, apiKey: 'none', maxRetries: 0 });
  await carryOut(job, client, job.warmUp);
  return measure(() => carryOut(job, client, job.shape));
});
