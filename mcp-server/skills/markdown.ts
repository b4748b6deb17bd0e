const MOST_HEADINGS = 40;
const LONGEST_LINE = 300;

/** Lines outside of code fences, shortened. */
function* textLines(markdown: string): Generator<string> {
  let fence: string | null = null;
  for (const line of markdown.split('\n')) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark && fence === null) fence = mark;
    else if (mark && fence !== null && mark.startsWith(fence)) fence = null;
    else if (fence === null) yield line.slice(0, LONGEST_LINE).trim();
  }
}

const headingIn = (line: string): string | null => {
  const start = /^#{1,6}\s+/.exec(line)?.[0];
  return start === undefined ? null : line.slice(start.length).replaceAll('#', '').trim();
};

/** The first forty headings, outside of code. */
export const headingsOf = (markdown: string): readonly string[] => {
  const headings: string[] = [];
  for (const line of textLines(markdown)) {
    const heading = headingIn(line);
    if (heading) headings.push(heading);
    if (headings.length === MOST_HEADINGS) break;
  }
  return headings;
};

/** The first paragraph in words; where there is none, the first heading; else empty. */
export const summaryOf = (markdown: string): string => {
  let heading = '';
  const paragraph: string[] = [];
  for (const line of textLines(markdown)) {
    const title = headingIn(line);
    if (paragraph.length > 0 && (line === '' || title !== null)) break;
    if (title !== null) heading ||= title;
    else if (/[\p{L}\p{N}]/u.test(line)) paragraph.push(line);
    if (paragraph.length === 8) break;
  }
  return paragraph.join(' ') || heading;
};
