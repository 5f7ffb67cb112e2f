import type { Endpoint } from '../endpoint.ts';
import type { Settlement } from '../policy.ts';
import type { Picked } from '../request.ts';
import type { Member } from './member.ts';

/** Who is told how a flight ended; once for each. */
export interface Tower<E extends Endpoint> {
  landed(flight: Flight<E>, settlement: Settlement | undefined): void;
  /** It was broken off because another was quicker. */
  outrun(flight: Flight<E>): void;
}

/** A request in flight. */
export class Flight<E extends Endpoint> implements Picked<E> {
  readonly endpoint: E;
  readonly member: Member<E>;
  readonly startedAt: number;
  /** How many requests the endpoint was given before. */
  readonly number: number;
  #tower: Tower<E> | undefined;

  constructor(tower: Tower<E>, member: Member<E>, startedAt: number) {
    this.endpoint = member.endpoint;
    this.member = member;
    this.startedAt = startedAt;
    this.number = member.picked;
    this.#tower = tower;
  }

  done(settlement?: Settlement): void {
    const tower = this.#tower;
    if (tower === undefined) return;
    this.#tower = undefined;
    tower.landed(this, settlement);
  }

  outrun(): void {
    const tower = this.#tower;
    this.#tower = undefined;
    tower?.outrun(this);
  }

  [Symbol.dispose](): void {
    this.done();
  }
}
