import { randomBytes } from 'node:crypto';
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  createRequestStateCodec,
  type ElicitRequestFormParams,
  type InputRequiredResult,
  inputRequired,
  type RequestStateCodec,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import type { Approval } from '../../domain/approval.ts';

/** Where answers of a person go. */
export interface Approvals {
  /** The person has decided. Throws UserError `not-found` when it no longer waits. */
  decide(id: string, approved: boolean): Promise<void>;
  /** The next approval that a run waits for and that is not among `seen`; null when `signal` aborts first. */
  next?(run: string, seen: readonly string[], signal: AbortSignal): Promise<Approval | null>;
}

/** What comes back with an answer: which approval was asked for, and which the person did not want to answer here. */
export interface AskState {
  readonly asked: string;
  readonly seen: readonly string[];
}

/** Seals what was asked, so that a client cannot answer what nobody asked it. One for each engine. */
export const createAskCodec = (): RequestStateCodec<AskState> =>
  createRequestStateCodec<AskState>({
    key: randomBytes(32),
    bind: (context) => `${context.mcpReq.method}\0${context.http?.authInfo?.clientId ?? ''}`,
  });

const FORM: ElicitRequestFormParams['requestedSchema'] = {
  type: 'object',
  properties: { approve: { type: 'boolean', title: 'Approve', description: 'Let it happen?', default: false } },
  required: ['approve'],
};

/** Whether the client of this request can show a form to its person. */
export const canAsk = (server: Server, context: ServerContext): boolean => {
  const envelope = context.mcpReq.envelope as Readonly<Record<string, unknown>> | undefined;
  const declared =
    (envelope?.[CLIENT_CAPABILITIES_META_KEY] as ClientCapabilities | undefined) ?? server.getClientCapabilities();
  const elicitation = declared?.elicitation;
  if (elicitation === undefined) return false;
  // Without modes a client means forms: that is how it was before there were modes.
  return 'form' in elicitation || Object.keys(elicitation).length === 0;
};

/** An answer that asks the client's person first; the client then calls again. */
export const askFor = async (
  codec: RequestStateCodec<AskState>,
  approval: Approval,
  seen: readonly string[],
  context: ServerContext,
): Promise<InputRequiredResult> =>
  inputRequired({
    inputRequests: { [approval.id]: inputRequired.elicit({ message: approval.question, requestedSchema: FORM }) },
    requestState: await codec.mint({ asked: approval.id, seen }, context),
  });

/** Takes what the person answered to the approvals. Returns those that were put aside without an answer. */
export const takeAnswer = async (approvals: Approvals, context: ServerContext): Promise<readonly string[]> => {
  const state = context.mcpReq.requestState<AskState>();
  if (state?.asked === undefined) return [];
  const answer = context.mcpReq.inputResponses?.[state.asked] as { action?: string } | undefined;
  if (answer?.action === 'accept') {
    const content = acceptedContent<{ approve?: unknown }>(context.mcpReq.inputResponses, state.asked);
    await approvals.decide(state.asked, content?.approve === true);
    return state.seen;
  }
  if (answer?.action === 'decline') {
    await approvals.decide(state.asked, false);
    return state.seen;
  }
  return [...state.seen, state.asked];
};
