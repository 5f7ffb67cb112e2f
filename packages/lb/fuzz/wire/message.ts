/** What a plain reader of HTTP/1.1 makes of bytes; text is one byte a character. */
export interface Message {
  /** The request line or status line. */
  readonly line: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Without framing. */
  readonly body: string;
  /** How the end is known. */
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  /** Whether all of it is there; one framed by the close of the connection never is by its bytes. */
  readonly complete: boolean;
  /** Where the next message begins, once complete. */
  readonly end: number;
  /** What no sender may send, if anything. */
  readonly flaws: readonly string[];
}

/** Whose message it is: `response` with the method that was asked with. */
export type Side = { readonly request: true } | { readonly request: false; readonly method: string };

const tokens = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Reads the message at `from`; undefined while its head is not there. */
export function readMessage(text: string, from: number, side: Side): Message | undefined {
  // Of empty lines before a request nothing is made (RFC 9112, 2.2)
  if (side.request && text.startsWith('\r\n', from)) return readMessage(text, from + 2, side);
  const headEnd = text.indexOf('\r\n\r\n', from);
  if (headEnd === -1) return undefined;
  const [line = '', ...lines] = text.slice(from, headEnd).split('\r\n');
  const flaws: string[] = [];
  if (!(side.request ? requestLine : statusLine).test(line)) flaws.push('start line');
  const headers = lines.map(each => header(each, flaws));
  const start = headEnd + 4;
  const framing = framingOf(line, headers, side, flaws);
  const parts = { line, headers, flaws };
  if (framing.kind === 'none') {
    return { ...parts, framing: 'none', body: '', complete: true, end: start };
  }
  if (framing.kind === 'length') {
    const end = start + framing.length;
    const body = text.slice(start, end);
    return { ...parts, framing: 'length', body, complete: text.length >= end, end };
  }
  if (framing.kind === 'chunked') {
    return { ...parts, framing: 'chunked', ...dechunk(text, start, flaws) };
  }
  return { ...parts, framing: 'close', body: text.slice(start), complete: false, end: text.length };
}

const requestLine = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e]+ HTTP\/1\.[01]$/;
const statusLine = /^HTTP\/1\.[01] [1-9]\d\d( [\t\x20-\x7e\x80-\xff]*)?$/;

function header(line: string, flaws: string[]): readonly [string, string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
  if (!tokens.test(name)) flaws.push('header name');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: just these are looked for
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) flaws.push('header value');
  return [name, value];
}

export function valuesOf({ headers }: Pick<Message, 'headers'>, name: string): string[] {
  return headers.flatMap(([each, value]) => (each.toLowerCase() === name ? [value] : []));
}

type Framing =
  | { readonly kind: 'none' | 'chunked' | 'close' }
  | { readonly kind: 'length'; readonly length: number };

/** RFC 9112, 6.3. */
function framingOf(line: string, headers: Message['headers'], side: Side, flaws: string[]): Framing {
  const codings = valuesOf({ headers }, 'transfer-encoding');
  const lengths = valuesOf({ headers }, 'content-length');
  if (codings.length > 0 && lengths.length > 0) flaws.push('both framings');
  if (lengths.length > 1) flaws.push('several lengths');
  if (lengths.some(length => !/^\d{1,15}$/.test(length))) flaws.push('length');
  if (!side.request) {
    const status = Number(line.split(' ')[1]);
    if (status < 200 || status === 204 || status === 304 || side.method === 'HEAD') return { kind: 'none' };
  }
  const last = codings.join(',').split(',').at(-1)?.trim().toLowerCase();
  if (last === 'chunked') return { kind: 'chunked' };
  if (codings.length > 0) {
    if (!side.request) return { kind: 'close' };
    flaws.push('coding');
    return { kind: 'none' };
  }
  const length = Number.parseInt(lengths[0] ?? '', 10);
  if (length >= 0) return { kind: 'length', length };
  return { kind: side.request ? 'none' : 'close' };
}

function dechunk(text: string, from: number, flaws: string[]): Pick<Message, 'body' | 'complete' | 'end'> {
  let body = '';
  for (let at = from; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return { body, complete: false, end: text.length };
    const line = text.slice(at, lineEnd);
    const size = /^[0-9a-fA-F]{1,13}(?=[\t ]*(;|$))/.exec(line);
    if (size === null) {
      flaws.push('chunk');
      return { body, complete: false, end: text.length };
    }
    const length = Number.parseInt(size[0], 16);
    const start = lineEnd + 2;
    if (length === 0) return { body, ...trailers(text, start) };
    body += text.slice(start, start + length);
    if (text.length < start + length + 2) return { body, complete: false, end: text.length };
    if (text.slice(start + length, start + length + 2) !== '\r\n') {
      flaws.push('chunk');
      return { body, complete: false, end: text.length };
    }
    at = start + length + 2;
  }
}

function trailers(text: string, from: number): Pick<Message, 'complete' | 'end'> {
  if (text.startsWith('\r\n', from)) return { complete: true, end: from + 2 };
  const end = text.indexOf('\r\n\r\n', from);
  return end === -1 ? { complete: false, end: text.length } : { complete: true, end: end + 4 };
}
