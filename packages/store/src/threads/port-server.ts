import type { MessagePort } from 'node:worker_threads';
import { InvalidOptionError } from '@ashlar/core';
import type { Backend, ChangeListener } from '../backend.ts';
import { VersionConflictError } from '../errors.ts';
import { maxPendingKeys } from '../watches/watcher.ts';
import type { Changes, OperationRequest, OperationResponse, Request } from './protocol.ts';

/** Answers the requests of a port until it closes. Does not keep the thread alive. */
export function serve(port: MessagePort, backend: Backend, closed: () => void): void {
  const sender = new ChangeSender(message => port.postMessage(message));
  let stopListening: (() => void) | undefined;
  port.on('message', (request: Request) => {
    if ('id' in request) {
      answer(backend, request).then(response => port.postMessage(response));
    } else if ('acknowledged' in request) {
      sender.acknowledged();
    } else {
      stopListening?.();
      stopListening = request.listen ? backend.listen(sender) : undefined;
    }
  });
  port.on('close', () => {
    stopListening?.();
    closed();
  });
  port.unref();
}

async function answer(
  backend: Backend,
  { id, operation, args }: OperationRequest,
): Promise<OperationResponse> {
  try {
    const method = backend[operation] as (...args: unknown[]) => Promise<unknown>;
    return { id, result: await method.call(backend, ...args) };
  } catch (error) {
    if (error instanceof VersionConflictError) return { id, conflict: { found: error.found } };
    if (error instanceof InvalidOptionError) {
      return { id, invalid: { option: error.option, message: error.message } };
    }
    return { id, failure: error instanceof Error ? error.message : String(error) };
  }
}

/** Sends changes one message at a time, and keeps no more keys than a reader may fall behind. */
class ChangeSender implements ChangeListener {
  readonly #send: (message: Changes) => void;
  readonly #keys = new Set<string>();
  #missed = false;
  #inFlight = false;

  constructor(send: (message: Changes) => void) {
    this.#send = send;
  }

  changed(key: string): void {
    this.#keys.delete(key);
    this.#keys.add(key);
    if (this.#keys.size > maxPendingKeys) this.missed();
    else this.#flush();
  }

  missed(): void {
    this.#keys.clear();
    this.#missed = true;
    this.#flush();
  }

  /** The port closes with its owner, which is how the other side learns of it. */
  ended(): void {}

  acknowledged(): void {
    this.#inFlight = false;
    if (this.#keys.size > 0 || this.#missed) this.#flush();
  }

  #flush(): void {
    if (this.#inFlight) return;
    this.#inFlight = true;
    this.#send({ changed: [...this.#keys], missed: this.#missed });
    this.#keys.clear();
    this.#missed = false;
  }
}
