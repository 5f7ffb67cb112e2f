import type { MessagePort } from 'node:worker_threads';
import {
  backgroundClock,
  type Clock,
  describe,
  InvalidOptionError,
  knownOptions,
  numberOption,
} from '@ashlar/core';
import { BackendStore } from '../backend-store.ts';
import type { ManagedStore } from '../store.ts';
import { LocalBackend } from './local-backend.ts';
import { PortBackend } from './port-backend.ts';
import { serve } from './serve.ts';

export interface MemoryStoreOptions {
  /** As diagnostics messages call it. `memory` by default. */
  readonly name?: string;
  /** What the values' and claims' time is measured by. The machine's by default; it does not keep the process alive. */
  readonly clock?: Clock;
}

/** A store in another thread of this process. */
export interface ConnectedMemoryStoreOptions {
  readonly name?: string;
  /** From `connect()` of the store in the thread that owns it. */
  readonly port: MessagePort;
  /** How long an operation may wait for the owner. 1 000 by default. */
  readonly timeoutMs?: number;
}

/** A memory store that lives in this thread. */
export interface MemoryStore extends ManagedStore {
  /**
   * A port to hand to another thread (`worker.postMessage({ port }, [port])`), which has the same store there by
   * `memoryStore({ port })`. It ends with either side and keeps no thread alive.
   */
  connect(): MessagePort;
}

/** State in the memory of this process, for one process or for tests: nothing outlives it. */
export function memoryStore(options?: MemoryStoreOptions): MemoryStore;
/** The store of another thread, through a port that it gave. */
export function memoryStore(options: ConnectedMemoryStoreOptions): ManagedStore;
export function memoryStore(options: MemoryStoreOptions | ConnectedMemoryStoreOptions = {}): ManagedStore {
  const { name = 'memory' } = options;
  if ('port' in options) {
    knownOptions('memoryStore with a port', options, ['name', 'port', 'timeoutMs']);
    if (typeof options.port?.postMessage !== 'function') {
      throw new InvalidOptionError('port', `\`port\` must be a MessagePort, got ${describe(options.port)}`);
    }
    const timeoutMs = numberOption('timeoutMs', options.timeoutMs ?? 1_000, { above: 0 });
    return new BackendStore(name, new PortBackend(name, options.port, timeoutMs));
  }
  knownOptions('memoryStore', options, ['name', 'clock']);
  const { clock = backgroundClock } = options;
  // only of our own clock it is known when it began
  return new LocalStore(
    name,
    new LocalBackend(clock, clock === backgroundClock ? performance.timeOrigin : 0),
  );
}

class LocalStore extends BackendStore implements MemoryStore {
  readonly #backend: LocalBackend;
  readonly #ports = new Set<MessagePort>();

  constructor(name: string, backend: LocalBackend) {
    super(name, backend);
    this.#backend = backend;
  }

  connect(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#ports.add(port1);
    serve(port1, this.#backend, () => this.#ports.delete(port1));
    return port2;
  }

  override async close(): Promise<void> {
    await super.close();
    for (const port of this.#ports) port.close();
  }
}
