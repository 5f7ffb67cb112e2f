/** Where a side stops, in bytes of what it would send, and how: by an orderly end or a reset. */
export interface Cut {
  readonly at: number;
  readonly how: 'end' | 'reset';
}

/** What the endpoint sends. All text is one byte a character. */
export interface Answer {
  /** Heads of 1xx responses, each a status line and header lines. */
  readonly interim: readonly (readonly string[])[];
  readonly head: readonly string[];
  /** The bytes after the head, framing and all. */
  readonly body: string;
  /** When: once the head of the request is there, once all of it is, or not at all. */
  readonly when: 'head' | 'request' | 'never';
  readonly cut?: Cut;
  readonly pauseAt?: number;
  /** What becomes of the connection afterwards. */
  readonly after: 'keep' | 'end' | 'reset';
}

/** One request as its client sends it, and the answer of the endpoint. JSON is its notation. */
export interface Case {
  /** What the grammar did to a plain exchange, by name. */
  readonly quirks: readonly string[];
  /** The request line and the header lines. */
  readonly head: readonly string[];
  /** The bytes after the head, framing and all. */
  readonly body: string;
  readonly cut?: Cut;
  readonly pauseAt?: number;
  /** The client resets the connection after so many bytes of the response. */
  readonly leaveAt?: number;
  /** Whether another request follows at once. */
  readonly pipelined: boolean;
  readonly answer: Answer;
}

/** Stands in every answer of an endpoint, so that those of a proxy itself are known. */
export const marker = 'x-answer';

export function requestBytes({ head, body }: Pick<Case, 'head' | 'body'>): string {
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

export function answerBytes({ interim, head, body }: Answer): string {
  const [status, ...lines] = head;
  const final = [status, `${marker}: main`, ...lines];
  return [...interim, final].map(each => `${each.join('\r\n')}\r\n\r\n`).join('') + body;
}

export function methodOf({ head }: Pick<Case, 'head'>): string {
  return head[0]!.trim().split(' ')[0]!;
}

export function targetOf({ head }: Pick<Case, 'head'>): string {
  return head[0]!.trim().split(' ').slice(1, -1).join(' ');
}

/** The values of the lines with that name, which is in lower case; also where the name is written oddly. */
export function valuesIn(lines: readonly string[], name: string): string[] {
  return lines.slice(1).flatMap(line => {
    const colon = line.indexOf(':');
    return line.slice(0, colon).trim().toLowerCase() === name ? [line.slice(colon + 1).trim()] : [];
  });
}
