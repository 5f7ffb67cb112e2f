import { withDeadline } from '@ashlar/core';
import type { AuthorityContext, Observed } from '../authority.ts';

/** Milliseconds that a server may take to answer. */
const deadlineMs = 5_000;

/** What the settings of servers mean for a set that leads: asked once of each server, and again when it was started again. */
export class Concerns {
  readonly #context: AuthorityContext;
  readonly #tell: (id: string, concern: string | undefined) => void;
  readonly #asked = new Map<string, string>();

  constructor(context: AuthorityContext, tell: (id: string, concern: string | undefined) => void) {
    this.#context = context;
    this.#tell = tell;
  }

  consider(servers: readonly Observed[]): void {
    for (const { id, state, sighting } of servers) {
      if (state !== 'up' || sighting === undefined || this.#asked.get(id) === sighting.instance) continue;
      this.#asked.set(id, sighting.instance);
      const { clock, signal } = this.#context;
      const late = () => new Error(`${id} did not say its settings within ${deadlineMs} ms`);
      const asking = withDeadline({ timeoutMs: deadlineMs, clock, signal, late }, stop =>
        Promise.resolve(this.#context.concerns(id, stop) ?? []),
      );
      asking.then(
        concerns => this.#tell(id, concerns.length === 0 ? undefined : `${id}: ${concerns.join(', ')}`),
        () => this.#asked.delete(id),
      );
    }
  }
}
