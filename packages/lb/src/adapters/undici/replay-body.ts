import type { Readable } from 'node:stream';
import { Replay } from '../http/replay.ts';

/** A request body. Undici accepts more kinds than its types say. */
export type Body = string | object | null | undefined;

/** Whether the body can be sent any number of times. */
function isWhole(body: string | object): body is string {
  if (typeof body === 'string' || ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return true;
  const kind = (body as { readonly [Symbol.toStringTag]?: string })[Symbol.toStringTag];
  if (kind === 'Blob' || kind === 'File' || kind === 'FormData') return true;
  return !(Symbol.asyncIterator in body) && !(Symbol.iterator in body);
}

/** The body of a request. One that can be read only once is buffered up to a limit, so that it can be sent again. */
export class ReplayBody {
  readonly #body: Body;
  readonly #source: AsyncIterator<unknown> | Iterator<unknown> | undefined;
  readonly #replay: Replay;
  readonly #onError: (error: Error) => void;

  /** @param onError is called when the source fails or stalls, before any reader of the body rejects */
  constructor(body: Body, limit: number, idleTimeoutMs: number, onError: (error: Error) => void) {
    this.#body = body;
    this.#onError = onError;
    if (body !== null && body !== undefined && !isWhole(body)) {
      this.#source = iteratorOf(body);
      // A stream may fail before an attempt reads it; without a listener its error would be uncaught
      if (isStream(body)) body.on('error', onError);
    }
    this.#replay = new Replay(limit, idleTimeoutMs, () => this.#read(), onError);
  }

  /** Whether the whole body can be sent again. */
  get replayable(): boolean {
    return this.#replay.replayable;
  }

  get isAwaited(): boolean {
    return this.#replay.isAwaited;
  }

  /** The body from its beginning. Only while it is replayable or unread. */
  open(): Body {
    return this.#source === undefined ? this.#body : this.#replay.open();
  }

  /** Releases the source, which may not have been read to its end. */
  end(): void {
    const { ended } = this.#replay;
    this.#replay.free();
    if (this.#source === undefined) return;
    const body = this.#body as object;
    if (isStream(body)) body.on('error', () => {}).off('error', this.#onError);
    if (ended) return;
    if (isStream(body)) body.destroy();
    else void (async () => this.#source?.return?.())().catch(() => {});
  }

  async #read(): Promise<Buffer | undefined> {
    const { done, value } = await this.#source!.next();
    if (done === true) return undefined;
    return typeof value === 'string' ? Buffer.from(value) : (value as Buffer);
  }
}

function isStream(body: object): body is Readable {
  const { on, destroy } = body as Partial<Readable>;
  return typeof on === 'function' && typeof destroy === 'function';
}

function iteratorOf(body: object): AsyncIterator<unknown> | Iterator<unknown> {
  if (Symbol.asyncIterator in body) return (body as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  return (body as Iterable<unknown>)[Symbol.iterator]();
}
