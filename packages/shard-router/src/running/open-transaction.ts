import { asyncHooks } from '@ashlar/core';
import { NestedCallError } from '../errors/statements.ts';

const hooks = asyncHooks();
const current = hooks && new hooks.AsyncLocalStorage<OpenTransaction>();

/**
 * A transaction on a shard that has room for one at a time, and what its work calls. Where there is no Node to say who calls, nothing is
 * refused, and time limits end what waits for itself.
 */
export class OpenTransaction {
  readonly #shard: object;
  readonly #outer = current?.getStore();
  #isOver = false;

  constructor(shard: object) {
    this.#shard = shard;
  }

  /**
   * Refuses a call that would wait for a transaction within whose work it is made, and which so would never end.
   *
   * @throws NestedCallError
   */
  static refuseWithin(shard: object, name: string, operation: string): void {
    for (let open = current?.getStore(); open !== undefined; open = open.#outer)
      if (open.#shard === shard && !open.#isOver) throw new NestedCallError(name, operation);
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return current === undefined ? work() : current.run(this, work);
  }

  end(): void {
    this.#isOver = true;
  }
}
