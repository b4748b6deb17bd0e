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

/** What `coppice/serve` is asked with: HTTP on loopback, for as long as the connection that asks is open. */
export interface ServeHttpRequest {
  /** 0: any free one. */
  readonly port: number;
  /** Origins of pages that may ask. */
  readonly origins: readonly string[];
  /** The file of tokens. */
  readonly tokens: string;
  /** A token that is not in the file, by its digest. */
  readonly given: { readonly name: string; readonly scope: string; readonly sha256: string } | null;
}

/** What `coppice/serve` answers. */
export type ServeHttpAnswer =
  | { readonly url: string; readonly port: number }
  | { readonly refused: { readonly code: string; readonly message: string } };

/** Sent on the connections of `coppice/serve` when the engine ends because it was asked to. */
export const STOPPED = 'coppice/stopped';
