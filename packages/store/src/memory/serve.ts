import type { MessagePort } from 'node:worker_threads';
import type { Backend, News } from '../backend.ts';
import { VersionConflictError } from '../errors.ts';
import { maxPendingKeys } from '../watcher.ts';
import type { Answer, Question, Request, Told } from './protocol.ts';

/** Answers what comes through the port, until it closes. It does not keep the thread alive. */
export function serve(port: MessagePort, backend: Backend, closed: () => void): void {
  const news = new NewsSender(message => port.postMessage(message));
  let stopListening: (() => void) | undefined;
  port.on('message', (request: Request) => {
    if ('id' in request) {
      answer(backend, request).then(response => port.postMessage(response));
    } else if ('heard' in request) {
      news.heard();
    } else {
      stopListening?.();
      stopListening = request.listen ? backend.listen(news) : undefined;
    }
  });
  port.on('close', () => {
    stopListening?.();
    closed();
  });
  port.unref();
}

async function answer(backend: Backend, { id, operation, args }: Question): Promise<Answer> {
  try {
    const method = backend[operation] as (...args: unknown[]) => Promise<unknown>;
    return { id, result: await method.call(backend, ...args) };
  } catch (error) {
    if (error instanceof VersionConflictError) return { id, conflict: { found: error.found } };
    return { id, failure: error instanceof Error ? error.message : String(error) };
  }
}

/** Sends news when the last was taken, and keeps no more than a reader may fall behind. */
class NewsSender implements News {
  readonly #send: (message: Told) => void;
  readonly #keys = new Set<string>();
  #missed = false;
  #underWay = false;

  constructor(send: (message: Told) => void) {
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

  heard(): void {
    this.#underWay = false;
    if (this.#keys.size > 0 || this.#missed) this.#flush();
  }

  #flush(): void {
    if (this.#underWay) return;
    this.#underWay = true;
    this.#send({ changed: [...this.#keys], missed: this.#missed });
    this.#keys.clear();
    this.#missed = false;
  }
}
