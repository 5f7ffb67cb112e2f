import { describe, InvalidOptionError } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import { DrainTakenBackError } from '../errors.ts';
import type { EndpointSet } from './endpoint-set.ts';
import { Drain, type Member } from './member.ts';

/** Drains endpoints and undrains them. */
export class Drains<E extends Endpoint> {
  readonly #balancer: string;
  readonly #endpoints: EndpointSet<E>;

  constructor(balancer: string, endpoints: EndpointSet<E>) {
    this.#balancer = balancer;
    this.#endpoints = endpoints;
  }

  /** Resolves when the endpoint has nothing in flight. @throws InvalidOptionError */
  drain(id: string): Promise<void> {
    const member = this.#member(id);
    if (member.drain !== undefined) return member.drain.idle;
    const drain = new Drain();
    member.drain = drain;
    if (member.inFlight === 0) drain.finish();
    this.#changed(id, true);
    return drain.idle;
  }

  /** Rejects the wait for the drain with DrainTakenBackError. @throws InvalidOptionError */
  undrain(id: string): void {
    const member = this.#member(id);
    if (member.drain === undefined) return;
    member.drain.cancel(new DrainTakenBackError(id));
    member.drain = undefined;
    member.startedAt = this.#endpoints.now();
    this.#changed(id, false);
  }

  #changed(endpoint: string, draining: boolean): void {
    this.#endpoints.reevaluate();
    if (!channels.drain.hasSubscribers) return;
    channels.drain.publish({ balancer: this.#balancer, endpoint, draining });
  }

  #member(id: string): Member<E> {
    const member = this.#endpoints.members.get(id);
    if (member !== undefined) return member;
    throw new InvalidOptionError('id', `${this.#balancer} has no endpoint ${describe(id)}`);
  }
}
