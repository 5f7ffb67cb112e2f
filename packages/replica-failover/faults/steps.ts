import type { Store } from '@ashlar/store';
import { signal } from '@workspace/services';
import type { Server } from '../src/index.ts';

/** What of a server's administration counts as a step. */
const methods: readonly string[] = [
  'isPrimary',
  'detach',
  'drain',
  'require',
  'promote',
  'follow',
  'join',
  'fence',
];

export interface Strike {
  /** The number of the step. */
  readonly at: number;
  readonly signal: NodeJS.Signals;
  /** Just after its message has left, and before the answer. Default: before it. */
  readonly isSent?: boolean;
}

/** Counts the steps of whoever leads, once it is armed, and sends this process a signal at one of them. */
export class Steps {
  readonly #strike: Strike;
  readonly #told: ((step: string) => void) | undefined;
  #isArmed = false;
  #count = 0;

  /** @param told the name of the step, before the signal */
  constructor(strike: Strike, told?: (step: string) => void) {
    this.#strike = strike;
    this.#told = told;
  }

  /** Begins to count when the parent says `arm`, and ends when it says something else. */
  listen(): void {
    process.on('message', message => {
      this.#isArmed = message === 'arm';
    });
    process.channel?.unref();
  }

  /** Servers whose administration is counted. */
  ofServers<C>(servers: readonly Server<C>[]): readonly Server<C>[] {
    const counted = <T extends object>(id: string, original: T, names: readonly string[]): T =>
      this.#counted(original, names, `${id}: `, result => counted(id, result, methods));
    return servers.map(server => counted(server.id, server, ['administer']));
  }

  /** A store of which each change of the term is counted. */
  ofStore(store: Store): Store {
    return this.#counted(store, ['set'], 'the record: ', undefined, key => String(key).endsWith(':term'));
  }

  #counted<T extends object>(
    original: T,
    names: readonly string[],
    prefix: string,
    begun?: (administration: object) => object,
    counts: (first: unknown) => boolean = () => true,
  ): T {
    return new Proxy(original, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...parameters: unknown[]) => {
          const call = (): unknown => value.apply(target, parameters);
          const isStep = names.includes(String(name)) && counts(parameters[0]);
          const result = isStep ? this.#step(`${prefix}${String(name)}`, call) : call();
          return name === 'administer' ? (result as Promise<object>).then(begun) : result;
        };
      },
    });
  }

  #step(step: string, call: () => unknown): unknown {
    const { at, signal: name, isSent } = this.#strike;
    if (!this.#isArmed || this.#count++ !== at) return call();
    this.#told?.(step);
    const strike = () => signal(process.pid, name);
    if (!isSent) strike();
    const result = call();
    if (isSent) setImmediate(strike);
    return result;
  }
}
