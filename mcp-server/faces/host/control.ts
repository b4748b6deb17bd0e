/** The host's own requests on the socket, beside MCP. They stay the same across versions: any client can ask any engine. */
export type ControlHandler = (
  method: string,
  params: Record<string, unknown>,
) => Promise<Record<string, unknown> | null>;

/** Where an error result of a tool carries its code and message, in `_meta`. */
export const ERROR_META = 'coppice/error';

/** What `coppice/hello` answers. */
export interface Hello {
  readonly version: string;
  readonly pid: number;
  /** No run is going on. */
  readonly idle: boolean;
  /** Connections besides the one that asks. */
  readonly others: number;
  /** What the person should know of this engine's start, in words. */
  readonly notices: readonly string[];
}
