import { describe, InvalidOptionError } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import { DrainTakenBackError } from '../errors.ts';
import type { Roster } from './endpoint-set.ts';
import type { Member } from './member.ts';

/** That an endpoint is to be given no new requests, and the wait for those it has. */
export class Drain {
  /** Resolves when nothing is in flight, rejects when the drain is taken back before. */
  readonly idle: Promise<void>;
  finish: () => void = () => {};
  takeBack: (error: Error) => void = () => {};

  constructor() {
    this.idle = new Promise((resolve, reject) => {
      this.finish = resolve;
      this.takeBack = reject;
    });
    // Nobody need be waiting
    this.idle.catch(() => {});
  }
}

/** Takes endpoints out and puts them back by hand. */
export class Drains<E extends Endpoint> {
  readonly #balancer: string;
  readonly #roster: Roster<E>;

  constructor(balancer: string, roster: Roster<E>) {
    this.#balancer = balancer;
    this.#roster = roster;
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

  /** Whoever waits for the drain is told that it was taken back. @throws InvalidOptionError */
  undrain(id: string): void {
    const member = this.#member(id);
    if (member.drain === undefined) return;
    member.drain.takeBack(new DrainTakenBackError(id));
    member.drain = undefined;
    member.startedAt = this.#roster.now();
    this.#changed(id, false);
  }

  #changed(endpoint: string, draining: boolean): void {
    this.#roster.review();
    if (!channels.drain.hasSubscribers) return;
    channels.drain.publish({ balancer: this.#balancer, endpoint, draining });
  }

  #member(id: string): Member<E> {
    const member = this.#roster.members.get(id);
    if (member !== undefined) return member;
    throw new InvalidOptionError('id', `${this.#balancer} has no endpoint ${describe(id)}`);
  }
}
