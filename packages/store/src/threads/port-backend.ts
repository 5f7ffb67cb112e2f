import type { MessagePort } from 'node:worker_threads';
import { type CallOutcome, InvalidOptionError, withDeadline } from '@ashlar/core';
import type { Backend, ChangeListener, Page, Stored } from '../backend.ts';
import {
  StoreClosedError,
  StoreTimeoutError,
  StoreUnavailableError,
  VersionConflictError,
} from '../errors.ts';
import type { Claim, Version } from '../store.ts';
import type { Arguments, Operation, OperationResponse, Request, Response, Result } from './protocol.ts';

interface Call {
  readonly outcome: CallOutcome;
  answered(response: OperationResponse): void;
  reject(error: Error): void;
}

/** The memory of another thread, whose owner answers by `serve`. */
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
  #listener: ChangeListener | undefined;
  connected = true;

  constructor(name: string, port: MessagePort, timeoutMs: number) {
    this.#name = name;
    this.#port = port;
    this.#timeoutMs = timeoutMs;
    port.on('message', (response: Response) => this.#receive(response));
    port.on('close', () => this.#lose());
    port.unref();
  }

  read(keys: readonly string[]): Promise<readonly (Stored | undefined)[]> {
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

  listen(listener: ChangeListener): () => void {
    this.#listener = listener;
    if (this.connected) this.#send({ listen: true });
    else queueMicrotask(() => this.#listener?.ended(this.#closed('NotExecuted')));
    return () => {
      this.#listener = undefined;
      this.#send({ listen: false });
    };
  }

  async close(): Promise<void> {
    this.connected = false;
    for (const { outcome, reject } of this.#calls.values()) reject(new StoreClosedError(this.#name, outcome));
    this.#port.close();
  }

  /** @param outcome what is known of the operation when no answer comes */
  async #call<O extends Operation>(
    operation: O,
    outcome: CallOutcome,
    args: Arguments<O>,
  ): Promise<Result<O>> {
    if (!this.connected) throw this.#closed('NotExecuted');
    const id = ++this.#lastId;
    const late = () => new StoreTimeoutError(operation, this.#timeoutMs, outcome);
    try {
      return await withDeadline({ timeoutMs: this.#timeoutMs, late }, () => {
        return new Promise<Result<O>>((resolve, reject) => {
          const answered = (response: OperationResponse) => {
            if ('result' in response) resolve(response.result as Result<O>);
            else reject(failureOf(response, args, outcome));
          };
          if (this.#calls.size === 0) this.#port.ref();
          this.#calls.set(id, { outcome, answered, reject });
          this.#send({ id, operation, args });
        });
      });
    } finally {
      this.#calls.delete(id);
      if (this.#calls.size === 0) this.#port.unref();
    }
  }

  #send(request: Request): void {
    this.#port.postMessage(request);
  }

  #receive(response: Response): void {
    if ('id' in response) {
      this.#calls.get(response.id)?.answered(response);
      return;
    }
    if (response.missed) this.#listener?.missed('too many changes for the port');
    for (const key of response.changed) this.#listener?.changed(key);
    this.#send({ acknowledged: true });
  }

  /** A port that has closed never opens again. */
  #lose(): void {
    this.connected = false;
    for (const { outcome, reject } of this.#calls.values()) reject(this.#closed(outcome));
    this.#listener?.ended(this.#closed('NotExecuted'));
  }

  #closed(outcome: CallOutcome): StoreClosedError {
    return new StoreClosedError(this.#name, outcome, 'the thread that owns it has closed it or is gone');
  }
}

function failureOf(
  response: Exclude<OperationResponse, { readonly result: unknown }>,
  args: readonly unknown[],
  outcome: CallOutcome,
): Error {
  if ('failure' in response) return new StoreUnavailableError(response.failure, outcome);
  if ('invalid' in response) return new InvalidOptionError(response.invalid.option, response.invalid.message);
  const [key, , , expected] = args as Arguments<'write'>;
  return new VersionConflictError(key, expected ?? 'absent', response.conflict.found);
}

/** Without the rest of the memory that the bytes are a part of, which a port would copy too. */
function compact(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
