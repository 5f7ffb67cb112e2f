import type { MessagePort } from 'node:worker_threads';
import type { CallOutcome } from '@ashlar/core';
import type { Backend, News, Page } from '../backend.ts';
import {
  StoreClosedError,
  StoreTimeoutError,
  StoreUnavailableError,
  VersionConflictError,
} from '../errors.ts';
import type { Claim, Entry, Version } from '../store.ts';
import type { Answer, Arguments, Operation, Request, Response, Result } from './protocol.ts';

interface Call {
  readonly outcome: CallOutcome;
  readonly timer: NodeJS.Timeout;
  resolve(response: Answer): void;
  reject(error: Error): void;
}

/** The memory of another thread, which `serve` answers for. */
export class PortBackend implements Backend {
  readonly kind = 'memory';
  readonly durability = 'process';
  readonly batchKeys = 1_000;
  readonly window = 2;
  readonly #name: string;
  readonly #port: MessagePort;
  readonly #timeoutMs: number;
  readonly #calls = new Map<number, Call>();
  #lastId = 0;
  #news: News | undefined;
  connected = true;

  constructor(name: string, port: MessagePort, timeoutMs: number) {
    this.#name = name;
    this.#port = port;
    this.#timeoutMs = timeoutMs;
    port.on('message', (response: Response) => this.#hear(response));
    port.on('close', () => this.#lose());
    port.unref();
  }

  read(keys: readonly string[]): Promise<readonly (Entry | undefined)[]> {
    return this.#call('read', 'NotExecuted', [keys]);
  }

  async write(
    key: string,
    value: Uint8Array,
    ttlMs: number | undefined,
    ifVersion: Version | undefined,
  ): Promise<Version> {
    return this.#call('write', 'Unknown', [key, compact(value), ttlMs, ifVersion]);
  }

  writeAll(entries: readonly (readonly [string, Uint8Array])[], ttlMs: number | undefined): Promise<void> {
    const copies = entries.map(([key, value]) => [key, compact(value)] as const);
    return this.#call('writeAll', 'Unknown', [copies, ttlMs]);
  }

  remove(key: string, ifVersion: Version | undefined): Promise<boolean> {
    return this.#call('remove', 'Unknown', [key, ifVersion]);
  }

  page(prefix: string, after: string | undefined): Promise<Page> {
    return this.#call('page', 'NotExecuted', [prefix, after]);
  }

  claim(name: string, holder: string, ttlMs: number, above: bigint | undefined): Promise<Claim | undefined> {
    return this.#call('claim', 'Unknown', [name, holder, ttlMs, above]);
  }

  release(name: string, token: bigint): Promise<boolean> {
    return this.#call('release', 'Unknown', [name, token]);
  }

  listen(news: News): () => void {
    this.#news = news;
    this.#send({ listen: true });
    return () => {
      this.#news = undefined;
      this.#send({ listen: false });
    };
  }

  async close(): Promise<void> {
    this.connected = false;
    for (const { outcome, reject } of this.#calls.values()) reject(new StoreClosedError(this.#name, outcome));
    this.#port.close();
  }

  /** `outcome` is what is known of the operation when no answer comes. */
  #call<O extends Operation>(operation: O, outcome: CallOutcome, args: Arguments<O>): Promise<Result<O>> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (!this.connected) return reject(this.#gone('NotExecuted'));
      const settle = () => {
        clearTimeout(timer);
        this.#calls.delete(id);
        if (this.#calls.size === 0) this.#port.unref();
      };
      const fail = (error: Error) => {
        settle();
        reject(error);
      };
      const timer = setTimeout(
        () => fail(new StoreTimeoutError(operation, this.#timeoutMs, outcome)),
        this.#timeoutMs,
      );
      const hear = (response: Answer) => {
        settle();
        if ('result' in response) return resolve(response.result as Result<O>);
        if ('failure' in response) return reject(new StoreUnavailableError(response.failure, outcome));
        const [key, , , expected] = args as Arguments<'write'>;
        reject(new VersionConflictError(key, expected ?? 'absent', response.conflict.found));
      };
      if (this.#calls.size === 0) this.#port.ref();
      this.#calls.set(id, { outcome, timer, resolve: hear, reject: fail });
      this.#send({ id, operation, args });
    });
  }

  #send(request: Request): void {
    this.#port.postMessage(request);
  }

  #hear(response: Response): void {
    if ('id' in response) {
      this.#calls.get(response.id)?.resolve(response);
      return;
    }
    if (response.missed) this.#news?.missed('too many changes for the port');
    for (const key of response.changed) this.#news?.changed(key);
    this.#send({ heard: true });
  }

  #lose(): void {
    this.connected = false;
    for (const { outcome, reject } of this.#calls.values()) reject(this.#gone(outcome));
  }

  #gone(outcome: CallOutcome): StoreUnavailableError {
    return new StoreUnavailableError(`the thread that owns ${this.#name} is gone`, outcome);
  }
}

/** Without the rest of the memory that the bytes are a part of, which a port would copy too. */
function compact(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
