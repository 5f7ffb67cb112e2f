/** A fenced block of TypeScript in a Markdown file. */
export interface Block {
  /** The nearest heading above, without its markup; empty above the first one. */
  readonly heading: string;
  /** The line of the file, counted from 1, on which the code begins. */
  readonly line: number;
  readonly code: string;
  /** False when the fence says `no-run`: such a block is type-checked only. */
  readonly runs: boolean;
}

interface Fence {
  readonly indent: string;
  readonly marks: string;
  readonly line: number;
  readonly runs: boolean | undefined;
}

const fencePattern = /^(\s*)(`{3,}|~{3,})(.*)$/;
const headingPattern = /^ {0,3}#{1,6}\s+(.*?)[\s#]*$/;
const otherSpellings = new Set(['typescript', 'mts', 'tsx', 'js', 'javascript', 'mjs', 'jsx']);

/**
 * The `ts` blocks of a Markdown text, in order.
 *
 * @throws Error with the line of a fence that would go untested in silence: another spelling of the language, an
 *   unknown word behind it, or a fence without an end.
 */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  let open: Fence | undefined;
  let code: string[] = [];
  for (const [index, text] of markdown.split(/\r?\n/).entries()) {
    const line = index + 1;
    const [, indent = '', marks, info = ''] = fencePattern.exec(text) ?? [];
    if (open === undefined) {
      heading = headingPattern.exec(text)?.[1] ?? heading;
      if (marks === undefined) continue;
      open = { indent, marks, line, runs: runs(info, line) };
      code = [];
    } else if (marks?.startsWith(open.marks) && info.trim() === '') {
      if (open.runs !== undefined) {
        blocks.push({ heading: plain(heading), line: open.line + 1, code: code.join('\n'), runs: open.runs });
      }
      open = undefined;
    } else {
      code.push(text.startsWith(open.indent) ? text.slice(open.indent.length) : text.trimStart());
    }
  }
  if (open !== undefined) throw new Error(`line ${open.line}: this fence has no end`);
  return blocks;
}

/** Whether a block with this info string runs; undefined when it is not TypeScript. */
function runs(info: string, line: number): boolean | undefined {
  // what VitePress understands on top (line highlights, a title, line numbers) says nothing about the code
  const words = info.replace(/\{.*?\}|\[.*?\]|:(no-)?line-numbers(=\d+)?/g, ' ').match(/\S+/g) ?? [];
  const [language = '', ...flags] = words;
  if (otherSpellings.has(language)) {
    throw new Error(`line ${line}: code is tested when its fence says \`ts\`, not \`${language}\``);
  }
  if (language !== 'ts') return undefined;
  const unknown = flags.find(flag => flag !== 'no-run');
  if (unknown !== undefined) throw new Error(`line ${line}: \`ts\` takes \`no-run\`, not \`${unknown}\``);
  return flags.length === 0;
}

function plain(heading: string): string {
  return heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '');
}
