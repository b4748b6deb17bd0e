import { z } from 'zod';
import type { Engine } from '../engine/facade.ts';

/** What a caller may assume of an operation; faces derive their annotations from it. */
export type Effect = 'reads' | 'changes' | 'destroys';

/** One operation, declared once; MCP tools, CLI, HTTP and editor are faces of the same table. */
export interface Operation<I extends z.ZodObject = z.ZodObject, O extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  /** Calling it again with the same input changes nothing more. */
  readonly idempotent: boolean;
  /** It talks to somebody outside of this machine. */
  readonly openWorld?: true;
  readonly input: I;
  readonly output: O;
  handle(engine: Engine, input: z.infer<I>, signal: AbortSignal): Promise<z.infer<O>>;
}

/**
 * An object of an operation's input. A key that it does not know is refused by name: dropped in silence, a misspelt
 * limit would be no limit.
 */
export const inputObject = <S extends z.ZodRawShape>(shape: S) =>
  z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined;
      const unknown = issue.keys.map((key) => `"${key}"`).join(', ');
      const known = Object.keys(shape).join(', ');
      return `There is no ${unknown} here. ${known === '' ? 'Nothing can be given.' : `Known: ${known}.`}`;
    },
  });

/** Gives the declaration its types; changes nothing. */
export const defineOperation = <I extends z.ZodObject, O extends z.ZodObject>(
  operation: Operation<I, O>,
): Operation<I, O> => operation;

/** A list in an operation's output: what the engine returns is not for changing. */
export const list = <T extends z.ZodType>(of: T) => z.array(of).readonly();
