import type { Readable } from 'node:stream';
import { Replay } from '../http/replay.ts';

/** A body as a dispatcher is given it: undici takes more kinds than its types say. */
export type Body = string | object | null | undefined;

/** What can be sent as often as one likes. */
function isWhole(body: string | object): body is string {
  if (typeof body === 'string' || ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return true;
  const kind = (body as { readonly [Symbol.toStringTag]?: string })[Symbol.toStringTag];
  if (kind === 'Blob' || kind === 'File' || kind === 'FormData') return true;
  return !(Symbol.asyncIterator in body) && !(Symbol.iterator in body);
}

/** The body of a request; one that can be read once only is kept while it is small, to be sent more than once. */
export class ReplayBody {
  readonly #body: Body;
  readonly #source: AsyncIterator<unknown> | Iterator<unknown> | undefined;
  readonly #replay: Replay;

  /** @param onError what the body comes from has failed or stalled; told before any reader of the body knows */
  constructor(body: Body, limit: number, idleTimeoutMs: number, onError: (error: Error) => void) {
    this.#body = body;
    if (body !== null && body !== undefined && !isWhole(body)) this.#source = iteratorOf(body);
    this.#replay = new Replay(limit, idleTimeoutMs, () => this.#read(), onError);
  }

  /** Whether all of it could be sent again. */
  get replayable(): boolean {
    return this.#replay.replayable;
  }

  /** The body from its beginning; only while it is replayable, or not yet begun. */
  open(): Body {
    return this.#source === undefined ? this.#body : this.#replay.open();
  }

  /** Lets go of what the body comes from, which may not have been read to its end. */
  end(): void {
    const { ended } = this.#replay;
    this.#replay.free();
    if (this.#source === undefined || ended) return;
    const stream = this.#body as Partial<Readable>;
    if (typeof stream.destroy === 'function') stream.destroy();
    else void (async () => this.#source?.return?.())().catch(() => {});
  }

  async #read(): Promise<Buffer | undefined> {
    const { done, value } = await this.#source!.next();
    if (done === true) return undefined;
    return typeof value === 'string' ? Buffer.from(value) : (value as Buffer);
  }
}

function iteratorOf(body: object): AsyncIterator<unknown> | Iterator<unknown> {
  if (Symbol.asyncIterator in body) return (body as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  return (body as Iterable<unknown>)[Symbol.iterator]();
}
