/** A part of a text: zero-based, as editors count; `endColumn` is the column after its last character. */
export interface TextSpan {
  readonly line: number;
  /** In units of UTF-16. */
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

/** Lines as editors count them. */
export const linesOf = (text: string): string[] => text.split(/\r\n|\r|\n/);

/** The part of `text` from one offset to another; `first` is the line that the text begins in. */
export const spanBetween = (text: string, start: number, end: number, first = 0): TextSpan => {
  const above = linesOf(text.slice(0, start));
  const inside = linesOf(text.slice(start, end));
  const line = first + above.length - 1;
  const column = above.at(-1)?.length ?? 0;
  const last = inside.at(-1)?.length ?? 0;
  return {
    line,
    column,
    endLine: line + inside.length - 1,
    endColumn: inside.length > 1 ? last : column + last,
  };
};
