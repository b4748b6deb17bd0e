import {
  acceptedContent,
  type CallToolResult,
  fromJsonSchema,
  type InputRequests,
  inputRequired,
  type McpServer,
  type RequestStateCodec,
  ResourceTemplate,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

/** What the official referee wants to find by name, registered on a server of ours. Nothing of it is in the product. */
export const conformanceFixture =
  (triggers: { listChanged(): void }) =>
  (server: McpServer, codec: RequestStateCodec<never>): void => {
    registerContent(server);
    registerTalk(server);
    registerElicitation(server);
    registerInputRequired(server, codec);
    registerTriggers(server, triggers);
    registerResources(server);
    registerPrompts(server);
    server.server.registerCapabilities({ logging: {} });
    server.server.setRequestHandler('logging/setLevel', async () => ({}));
  };

interface State {
  readonly round: number;
}

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';
const NOTHING = z.object({});

const text = (words: string): CallToolResult => ({ content: [{ type: 'text', text: words }] });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const resourceOf = (uri: string) => ({ uri, mimeType: 'text/plain', text: 'Words of an embedded resource.' });

const registerContent = (server: McpServer): void => {
  const tool = (name: string, result: CallToolResult): void => {
    server.registerTool(name, { description: `Answers with fixed content: ${name}` }, async () => result);
  };
  tool('test_simple_text', text('This is a simple text response for testing.'));
  tool('test_image_content', { content: [{ type: 'image', data: PNG, mimeType: 'image/png' }] });
  tool('test_audio_content', { content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] });
  tool('test_embedded_resource', {
    content: [{ type: 'resource', resource: resourceOf('test://embedded-resource') }],
  });
  tool('test_multiple_content_types', {
    content: [
      { type: 'text', text: 'Several kinds:' },
      { type: 'image', data: PNG, mimeType: 'image/png' },
      { type: 'resource', resource: { ...resourceOf('test://mixed-content-resource'), mimeType: 'application/json' } },
    ],
  });
  server.registerTool('test_error_handling', { description: 'Always fails' }, async () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'Has a rich schema', inputSchema: fromJsonSchema(RICH_SCHEMA) },
    async (input) => text(JSON.stringify(input)),
  );
  server.registerTool(
    'test_headers',
    {
      description: 'Mirrors a parameter into a header',
      inputSchema: fromJsonSchema({
        type: 'object',
        properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
      } as Parameters<typeof fromJsonSchema>[0]),
    },
    async (input) => text(JSON.stringify(input)),
  );
};

const RICH_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
} as const;

const registerTalk = (server: McpServer): void => {
  const log = (context: ServerContext, words: string): Promise<void> => context.mcpReq.log('info', words);
  server.registerTool(
    'test_tool_with_logging',
    { description: 'Logs while it works', inputSchema: NOTHING },
    async (_input, context) => {
      await log(context, 'Tool execution started');
      await pause(50);
      await log(context, 'Tool processing data');
      await pause(50);
      await log(context, 'Tool execution completed');
      return text('Logged.');
    },
  );
  server.registerTool('test_logging_tool', { description: 'Logs once' }, async (context) => {
    await log(context, 'A word');
    return text('Logged.');
  });
  server.registerTool(
    'test_tool_with_progress',
    { description: 'Tells how far it is', inputSchema: NOTHING },
    async (_input, context) => {
      const progressToken = context.mcpReq._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        const params = { progressToken: progressToken ?? 0, progress, total: 100 };
        if (progressToken !== undefined) await context.mcpReq.notify({ method: 'notifications/progress', params });
        await pause(50);
      }
      return text('Done.');
    },
  );
  server.registerTool(
    'test_reconnection',
    { description: 'Closes its stream and answers on the next one', inputSchema: NOTHING },
    async (_input, context) => {
      context.http?.closeSSE?.();
      await pause(100);
      return text('Reconnected.');
    },
  );
  server.registerTool(
    'test_sampling',
    { description: "Asks the client's model", inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, context) => {
      const answer = await context.mcpReq.requestSampling({
        messages: [{ role: 'user', content: { type: 'text', text: prompt } }],
        maxTokens: 100,
      });
      return text(`LLM response: ${(answer.content as { text?: string }).text ?? ''}`);
    },
  );
};

type FormSchema = Parameters<ServerContext['mcpReq']['elicitInput']>[0] extends infer P
  ? P extends { requestedSchema: infer S }
    ? S
    : never
  : never;

const registerElicitation = (server: McpServer): void => {
  const ask = async (context: ServerContext, message: string, properties: object, required: string[]) => {
    const requestedSchema = { type: 'object', properties, required } as unknown as FormSchema;
    const answer = await context.mcpReq.elicitInput({ mode: 'form', message, requestedSchema });
    return text(`User response: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`);
  };
  server.registerTool(
    'test_elicitation',
    { description: 'Asks the person', inputSchema: z.object({ message: z.string() }) },
    ({ message }, context) =>
      ask(context, message, { username: { type: 'string' }, email: { type: 'string' } }, ['username', 'email']),
  );
  server.registerTool(
    'test_elicitation_sep1034_defaults',
    { description: 'Asks with defaults', inputSchema: NOTHING },
    (_input, context) =>
      ask(
        context,
        'Please look at the form',
        {
          name: { type: 'string', default: 'John Doe' },
          age: { type: 'integer', default: 30 },
          score: { type: 'number', default: 95.5 },
          status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
          verified: { type: 'boolean', default: true },
        },
        [],
      ),
  );
  const options = ['option1', 'option2', 'option3'];
  const titled = options.map((option, at) => ({ const: `value${at + 1}`, title: `Title of ${option}` }));
  server.registerTool(
    'test_elicitation_sep1330_enums',
    { description: 'Asks with choices', inputSchema: NOTHING },
    (_input, context) =>
      ask(
        context,
        'Please choose',
        {
          untitledSingle: { type: 'string', enum: options },
          titledSingle: { type: 'string', oneOf: titled },
          legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['One', 'Two', 'Three'] },
          untitledMulti: { type: 'array', minItems: 1, maxItems: 3, items: { type: 'string', enum: options } },
          titledMulti: { type: 'array', minItems: 1, maxItems: 3, items: { anyOf: titled } },
        },
        [],
      ),
  );
};

const form = (message: string, name: string, type: 'string' | 'boolean' = 'string') =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: 'object', properties: { [name]: { type } }, required: [name] } as unknown as FormSchema,
  });
const question = (words: string) =>
  inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: words } }],
    maxTokens: 100,
  });

const registerInputRequired = (server: McpServer, codec: RequestStateCodec<State>): void => {
  const tool = (
    name: string,
    handle: (context: ServerContext) => Promise<CallToolResult | ReturnType<typeof inputRequired>>,
  ): void => {
    server.registerTool(`test_${name}`, { description: `Needs input: ${name}` }, handle);
  };
  const state = (context: ServerContext, round: number): Promise<string> => codec.mint({ round }, context);
  const given = (context: ServerContext, key: string) => acceptedContent(context.mcpReq.inputResponses, key);

  tool('input_required_result_elicitation', async (context) => {
    const name = given(context, 'user_name')?.['name'];
    if (typeof name === 'string') return text(`Hello, ${name}!`);
    return inputRequired({ inputRequests: { user_name: form('What is your name?', 'name') } });
  });
  tool('input_required_result_sampling', async (context) => {
    const answer = context.mcpReq.inputResponses?.['capital_question'];
    if (answer) return text(JSON.stringify(answer));
    return inputRequired({ inputRequests: { capital_question: question('What is the capital of France?') } });
  });
  tool('input_required_result_list_roots', async (context) => {
    const answer = context.mcpReq.inputResponses?.['client_roots'];
    if (answer) return text(JSON.stringify(answer));
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  for (const name of ['request_state', 'tampered_state'])
    tool(`input_required_result_${name}`, async (context) => {
      if (given(context, 'confirm') && context.mcpReq.requestState<State>()?.round === 1) return text('state-ok');
      const confirm = form('Please confirm', 'ok', 'boolean');
      return inputRequired({ inputRequests: { confirm }, requestState: await state(context, 1) });
    });
  tool('input_required_result_multiple_inputs', async (context) => {
    const keys = ['user_name', 'greeting', 'client_roots'];
    if (keys.every((key) => context.mcpReq.inputResponses?.[key])) return text('All three are there.');
    return inputRequired({
      inputRequests: {
        user_name: form('What is your name?', 'name'),
        greeting: question('Generate a greeting'),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await state(context, 1),
    });
  });
  tool('input_required_result_multi_round', async (context) => {
    const round = context.mcpReq.requestState<State>()?.round ?? 0;
    if (round === 2 && given(context, 'step2')) return text('Both steps are done.');
    const next = round === 1 && given(context, 'step1') ? 2 : 1;
    const ask =
      next === 1 ? form('Step 1: What is your name?', 'name') : form('Step 2: What is your favorite color?', 'color');
    return inputRequired({ inputRequests: { [`step${next}`]: ask }, requestState: await state(context, next) });
  });
  tool('input_required_result_capabilities', async (context) => {
    const envelope = context.mcpReq.envelope as Readonly<Record<string, object>> | undefined;
    const declared = envelope?.['io.modelcontextprotocol/clientCapabilities'] ?? {};
    const requests: InputRequests = {};
    if ('elicitation' in declared) requests['user_name'] = form('What is your name?', 'name');
    if ('sampling' in declared) requests['greeting'] = question('Generate a greeting');
    return Object.keys(requests).length > 0 ? inputRequired({ inputRequests: requests }) : text('Nothing to ask with.');
  });
  tool('missing_capability', async () => inputRequired({ inputRequests: { greeting: question('Hello?') } }));
  tool('streaming_elicitation', async () =>
    inputRequired({ inputRequests: { user_name: form('What is your name?', 'name') } }),
  );
};

const registerTriggers = (server: McpServer, triggers: { listChanged(): void }): void => {
  for (const name of ['test_trigger_tool_change', 'test_trigger_prompt_change'])
    server.registerTool(name, { description: 'Has the lists change' }, async () => {
      triggers.listChanged();
      return text('Changed.');
    });
};

const registerResources = (server: McpServer): void => {
  const add = (name: string, uri: string, content: { text: string } | { blob: string }, mimeType: string): void => {
    server.registerResource(name, uri, { description: `For the referee: ${name}`, mimeType }, async () => ({
      contents: [{ uri, mimeType, ...content }],
    }));
  };
  add('static-text', 'test://static-text', { text: 'Words of the static resource.' }, 'text/plain');
  add('static-binary', 'test://static-binary', { blob: PNG }, 'image/png');
  add('watched-resource', 'test://watched-resource', { text: 'Watched.' }, 'text/plain');
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { description: 'For the referee: template', mimeType: 'application/json' },
    async (uri, { id }) => ({
      contents: [
        {
          uri: uri.href,
          mimeType: 'application/json',
          text: JSON.stringify({ id, data: `Data for ID: ${String(id)}` }),
        },
      ],
    }),
  );
};

const registerPrompts = (server: McpServer): void => {
  const words = (content: string) => ({ role: 'user' as const, content: { type: 'text' as const, text: content } });
  server.registerPrompt('test_simple_prompt', { description: 'Without arguments' }, () => ({
    messages: [words('This is a simple prompt for testing.')],
  }));
  server.registerPrompt(
    'test_prompt_with_arguments',
    { description: 'With arguments', argsSchema: z.object({ arg1: z.string(), arg2: z.string() }) },
    ({ arg1, arg2 }) => ({ messages: [words(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)] }),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'With a resource', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        { role: 'user', content: { type: 'resource', resource: resourceOf(resourceUri) } },
        words('Please process the resource above.'),
      ],
    }),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'With an image' }, () => ({
    messages: [
      { role: 'user', content: { type: 'image', data: PNG, mimeType: 'image/png' } },
      words('Please look at the image above.'),
    ],
  }));
  server.registerPrompt('test_input_required_result_prompt', { description: 'Needs input' }, async (context) => {
    const given = acceptedContent(context.mcpReq.inputResponses, 'user_context')?.['context'];
    if (typeof given === 'string') return { messages: [words(`In the context of ${given}.`)] };
    return inputRequired({
      inputRequests: { user_context: form('What context should the prompt use?', 'context') },
    });
  });
};
