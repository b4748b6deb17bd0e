/** Stands before each line that the tests in the extension host print. */
export const MARK = '\u2502 ';
