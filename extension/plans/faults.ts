import type { TextFault } from './operations.ts';

/** The faults that the engine has found in a text, out of its words: lines of the form `3:5: message`, counted from 1. */
export const faultsIn = (message: string): readonly TextFault[] => {
  const faults = message.split('\n').flatMap((line): TextFault[] => {
    const match = /^(\d+):(\d+): (.+)$/.exec(line);
    if (!match) return [];
    const [, row, column, text = ''] = match;
    return [{ line: Number(row) - 1, column: Number(column) - 1, severity: 'error', message: text }];
  });
  return faults.length > 0 ? faults : [{ line: 0, column: 0, severity: 'error', message }];
};

/** From the fault to the end of what a person wrote on that line, so that there is something to underline. */
export const faultSpan = (lineText: string, column: number): readonly [number, number] => {
  const end = lineText.replace(/\s+(#.*)?$/, '').length;
  const start = Math.min(column, lineText.length);
  return end > start ? [start, end] : [Math.max(0, start - 1), lineText.length];
};
