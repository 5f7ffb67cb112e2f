import type { Random } from '@ashlar/core';

/** A case in the making: a plain exchange, to which quirks are done. */
export interface Draft {
  method: string;
  target: string;
  version: string;
  /** Header lines. */
  lines: string[];
  /** As it is meant, and then as it is sent: framing is put around it last. */
  body: string;
  framing: (body: string) => { readonly lines: readonly string[]; readonly bytes: string };
  cut: { part: number; how: 'end' | 'reset' } | undefined;
  pause: number | undefined;
  leave: number | undefined;
  pipelined: boolean;
  interim: string[][];
  status: string;
  answerLines: string[];
  answerBody: string;
  answerFraming: Draft['framing'];
  when: 'head' | 'request' | 'never';
  answerCut: { part: number; how: 'end' | 'reset' } | undefined;
  answerPause: number | undefined;
  after: 'keep' | 'end' | 'reset';
}

/** Changes a draft; its name tells what to. */
export type Quirks = Readonly<Record<string, (draft: Draft, choose: Choose) => void>>;

export class Choose {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** In [0, 1). */
  part(): number {
    return this.#random();
  }

  often(share: number): boolean {
    return this.#random() < share;
  }

  of<T>(...choices: readonly T[]): T {
    return choices[Math.floor(this.#random() * choices.length)]!;
  }
}

/** No framing at all. */
export const bare: Draft['framing'] = body => ({ lines: [], bytes: body });

export const byLength: Draft['framing'] = body => ({
  lines: [`Content-Length: ${body.length}`],
  bytes: body,
});

/** In chunks, each with that extension, and with trailers. */
export function chunked(extension = '', trailers = '', parts = 2): Draft['framing'] {
  return body => {
    const size = Math.max(1, Math.ceil(body.length / parts));
    let bytes = '';
    for (let at = 0; at < body.length; at += size) {
      const chunk = body.slice(at, at + size);
      bytes += `${chunk.length.toString(16)}${extension}\r\n${chunk}\r\n`;
    }
    return { lines: ['Transfer-Encoding: chunked'], bytes: `${bytes}0${extension}\r\n${trailers}\r\n` };
  };
}

/** The bytes of that framing under other lines. */
export function under(lines: readonly string[], framing: Draft['framing']): Draft['framing'] {
  return body => ({ lines, bytes: framing(body).bytes });
}

export function withLines(lines: readonly string[], framing: Draft['framing']): Draft['framing'] {
  return body => {
    const framed = framing(body);
    return { ...framed, lines: [...framed.lines, ...lines] };
  };
}

export const plainBody = 'name=value&other=thing';

/** Gives the request a body. */
export function post(draft: Draft, framing: Draft['framing'], text: string = plainBody): void {
  if (draft.method === 'GET') draft.method = 'POST';
  draft.body = text;
  draft.framing = framing;
}
