import type { MessagePort } from 'node:worker_threads';
import {
  backgroundClock,
  type Clock,
  checkNames,
  clock,
  durationMs,
  objectWith,
  type RulesFor,
  readOptions,
  required,
  text,
} from '@ashlar/core';
import { BackendStore } from '../backend-store.ts';
import type { ManagedStore } from '../store.ts';
import { PortBackend } from '../threads/port-backend.ts';
import { serve } from '../threads/port-server.ts';
import { LocalBackend } from './local-backend.ts';

export interface MemoryStoreOptions {
  /** What diagnostics messages and errors call the store. Default: `memory`. */
  readonly name?: string;
  /** Measures the time of values and claims. Default: the machine's, which does not keep the process alive. */
  readonly clock?: Clock;
}

/** A store in another thread of this process. */
export interface ConnectedMemoryStoreOptions {
  /** What diagnostics messages and errors call the store. Default: `memory`. */
  readonly name?: string;
  /** From `connect()` of the store in the thread that owns it. */
  readonly port: MessagePort;
  /** Milliseconds that an operation may wait for the owner. Default: 1 000. */
  readonly timeoutMs?: number;
}

/** A memory store that lives in this thread. */
export interface MemoryStore extends ManagedStore {
  /**
   * A port to transfer to another thread (`worker.postMessage({ port }, [port])`), which has the same store there as
   * `memoryStore({ port })`. It ends with either side and keeps no thread alive.
   */
  connect(): MessagePort;
}

const localRules = {
  name: text('memory'),
  clock: clock(backgroundClock),
} satisfies RulesFor<MemoryStoreOptions>;

const portAdvice =
  'write `memoryStore({ port: store.connect() })`, with the store of the thread that owns it';
const connectedRules = {
  name: text('memory'),
  port: required(objectWith<MessagePort>(['postMessage', 'on', 'unref'], portAdvice), portAdvice),
  timeoutMs: durationMs(1_000, { above: 0 }),
} satisfies RulesFor<ConnectedMemoryStoreOptions>;

/**
 * State in the memory of this process, for one process or for tests. It ends with the process.
 *
 * @throws InvalidOptionError
 */
export function memoryStore(options?: MemoryStoreOptions): MemoryStore;
/** The store of another thread, through a port of it. @throws InvalidOptionError */
export function memoryStore(options: ConnectedMemoryStoreOptions): ManagedStore;
export function memoryStore(options: MemoryStoreOptions | ConnectedMemoryStoreOptions = {}): ManagedStore {
  checkNames('memoryStore', options, { ...localRules, ...connectedRules });
  // Also with `port: undefined`, which is a mistake and must not make a store of its own
  if ('port' in options) {
    const { name, port, timeoutMs } = readOptions('memoryStore with a port', options, connectedRules);
    return new BackendStore(name, new PortBackend(name, port, timeoutMs));
  }
  const { name, clock } = readOptions('memoryStore without a port', options, localRules);
  // Only of our own clock the start is known
  const epochMs = clock === backgroundClock ? performance.timeOrigin : 0;
  return new LocalStore(name, new LocalBackend(clock, epochMs));
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
