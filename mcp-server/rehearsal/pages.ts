import type { Chats } from './chats.ts';
import type { Job } from './job.ts';
import { CHAT_TEMPLATE } from './template.ts';
import { VOCABULARY } from './tokens.ts';

/** Where a model's file would be named. It says plainly what answers here. */
export const WHAT_THIS_IS = 'built-in rules, not a language model and not intelligence';

const samplerDefaults = { seed: 4294967295, temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0.05 };

/** `/props`. */
export const propsPage = (chats: Chats): Record<string, unknown> => ({
  default_generation_settings: {
    params: { ...samplerDefaults, max_tokens: -1, n_predict: -1, stream: false },
    n_ctx: chats.settings.contextSize,
  },
  total_slots: chats.settings.slots,
  model_alias: chats.settings.model,
  model_ftype: 'rules',
  model_path: WHAT_THIS_IS,
  modalities: { vision: false, video: false, audio: false },
  endpoint_slots: true,
  endpoint_props: true,
  endpoint_metrics: true,
  chat_template: CHAT_TEMPLATE,
  chat_template_caps: {
    supports_object_arguments: true,
    supports_parallel_tool_calls: true,
    supports_preserve_reasoning: false,
    supports_reasoning_effort: false,
    supports_string_content: true,
    supports_system_role: true,
    supports_tool_calls: true,
    supports_tools: true,
    supports_typed_content: false,
  },
  bos_token: '<|endoftext|>',
  eos_token: '<|im_end|>',
  build_info: chats.settings.fingerprint,
  is_sleeping: false,
});

/** `/v1/models`; `n_ctx` is for one slot. */
export const modelsPage = (chats: Chats): Record<string, unknown> => {
  const { model, contextSize } = chats.settings;
  return {
    models: [{ name: model, model, type: 'model', description: WHAT_THIS_IS, capabilities: ['completion'] }],
    object: 'list',
    data: [
      {
        id: model,
        aliases: [model],
        tags: [],
        object: 'model',
        created: Math.floor(chats.settings.clock.now() / 1000),
        owned_by: 'coppice',
        meta: {
          vocab_type: 2,
          n_vocab: VOCABULARY,
          n_ctx: contextSize,
          n_ctx_train: contextSize,
          n_embd: 0,
          n_params: 0,
          size: 0,
          ftype: 'rules',
        },
      },
    ],
  };
};

const paramsOf = (job: Job): Record<string, unknown> => {
  const limit = job.request.maxTokens ?? -1;
  const temperature = job.request.temperature ?? samplerDefaults.temperature;
  return { ...samplerDefaults, temperature, max_tokens: limit, n_predict: limit, stream: job.request.stream };
};

/** `/slots`. One that never took a request shows only its first four fields. */
export const slotsPage = (chats: Chats): readonly Record<string, unknown>[] => {
  const bySlot = new Map([...chats.running].map((job) => [job.slot, job]));
  return chats.slots.all.map((slot) => {
    const base = { id: slot.id, n_ctx: chats.settings.contextSize, speculative: false, is_processing: slot.busy };
    const job = bySlot.get(slot);
    if (!job) {
      if (slot.lastTask === null) return base;
      return { ...base, id_task: slot.lastTask, n_prompt_tokens: chats.slots.held(slot) };
    }
    return {
      ...base,
      id_task: job.task,
      n_prompt_tokens: job.promptTokens + job.produced,
      n_prompt_tokens_processed: job.promptTokens - job.cached,
      n_prompt_tokens_cache: job.cached,
      params: paramsOf(job),
      next_token: [{ has_next_token: true, has_new_line: false, n_remain: -1, n_decoded: job.produced }],
    };
  });
};

/** `/metrics`, in Prometheus' text format. */
export const metricsPage = (chats: Chats): string => {
  const { totals } = chats;
  const rate = (count: number, ms: number): number => (ms > 0 ? (count / ms) * 1000 : 0);
  const lines: readonly (readonly [string, 'counter' | 'gauge', string, number])[] = [
    ['prompt_tokens_total', 'counter', 'Prompt tokens evaluated, without cached ones', totals.promptTokens],
    ['prompt_tokens_cached_total', 'counter', 'Prompt tokens taken from the cache', totals.cachedTokens],
    ['prompt_seconds_total', 'counter', 'Time spent on prompts', totals.promptMs / 1000],
    ['tokens_predicted_total', 'counter', 'Generated tokens', totals.predictedTokens],
    ['tokens_predicted_seconds_total', 'counter', 'Time spent generating', totals.predictedMs / 1000],
    ['n_decode_total', 'counter', 'Tokens generated one at a time', totals.predictedTokens],
    ['n_tokens_max', 'counter', 'Longest sequence so far', totals.longest],
    ['spec_decode_num_draft_tokens_total', 'counter', 'Drafted tokens', 0],
    ['spec_decode_num_accepted_tokens_total', 'counter', 'Accepted draft tokens', 0],
    ['spec_decode_num_drafts_total', 'counter', 'Drafts', 0],
    ['prompt_tokens_seconds', 'gauge', 'Prompt tokens per second', rate(totals.promptTokens, totals.promptMs)],
    ['predicted_tokens_seconds', 'gauge', 'Generated per second', rate(totals.predictedTokens, totals.predictedMs)],
    ['requests_processing', 'gauge', 'Requests in a slot', chats.running.size],
    ['requests_deferred', 'gauge', 'Requests waiting for a slot', chats.queued],
    ['n_busy_slots_per_decode', 'gauge', 'Slots busy at once', chats.running.size],
  ];
  return lines
    .map(
      ([name, type, help, value]) =>
        `# HELP llamacpp:${name} ${help}\n# TYPE llamacpp:${name} ${type}\nllamacpp:${name} ${value}\n`,
    )
    .join('');
};
