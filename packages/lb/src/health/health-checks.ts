import { type Clock, describe, type Random } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import type { EndpointSet } from '../endpoints/endpoint-set.ts';
import type { Member } from '../endpoints/member.ts';
import { withTimeout } from '../util/timeout.ts';
import { HealthCheckError } from './check.ts';
import type { HealthSettings } from './options.ts';

type Result = { readonly ok: true } | { readonly ok: false; readonly error: unknown };

/**
 * Checks every endpoint periodically, each in a loop of its own and one check at a time, and sets its health. A check that
 * ignores its signal goes on after its timeout; its result is dropped.
 */
export class HealthChecks<E extends Endpoint> {
  readonly #balancer: string;
  readonly #settings: HealthSettings<E>;
  readonly #endpoints: EndpointSet<E>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #rounds = new Map<Member<E>, AbortController>();

  /** @param clock whose sleepers should not keep the process alive */
  constructor(
    balancer: string,
    settings: HealthSettings<E>,
    endpoints: EndpointSet<E>,
    clock: Clock,
    random: Random,
  ) {
    this.#balancer = balancer;
    this.#settings = settings;
    this.#endpoints = endpoints;
    this.#clock = clock;
    this.#random = random;
  }

  /** Begins to check the endpoints that have joined, and stops for those that have left. */
  follow(): void {
    const members = new Set(this.#endpoints.members.values());
    for (const member of this.#rounds.keys()) if (!members.has(member)) this.#end(member);
    for (const member of members) if (!this.#rounds.has(member)) this.#begin(member);
  }

  close(): void {
    for (const member of this.#rounds.keys()) this.#end(member);
  }

  #begin(member: Member<E>): void {
    const stop = new AbortController();
    this.#rounds.set(member, stop);
    void this.#round(member, stop.signal).catch(() => {});
  }

  #end(member: Member<E>): void {
    this.#rounds.get(member)?.abort(ended);
    this.#rounds.delete(member);
  }

  /** Rejects when it is stopped. */
  async #round(member: Member<E>, stop: AbortSignal): Promise<void> {
    // Not within the call that added the endpoint: a check must not see a balancer under construction
    await Promise.resolve();
    const { healthyAfter, unhealthyAfter, intervalMs, jitterPercent } = this.#settings;
    let inRow = 0;
    let ok: boolean | undefined;
    let ejection: number | undefined;
    for (;;) {
      const { ejectedUntil } = member;
      const result = await this.#check(member.endpoint, stop);
      stop.throwIfAborted();
      // A check from before an ejection does not count towards its end
      inRow = result.ok === ok && ejectedUntil === ejection ? inRow + 1 : 1;
      ok = result.ok;
      ejection = ejectedUntil;
      member.checkError = result.ok ? undefined : result.error;
      const enough = inRow >= (result.ok ? healthyAfter : unhealthyAfter);
      if (enough || member.health === 'unchecked') this.#judge(member, result, ejectedUntil);
      const stretch = 1 + (jitterPercent / 100) * (2 * this.#random() - 1);
      await this.#clock.sleep(intervalMs * stretch, stop);
    }
  }

  async #check(endpoint: E, stop: AbortSignal): Promise<Result> {
    const { timeoutMs, check } = this.#settings;
    try {
      const options = { clock: this.#clock, timeoutMs, signal: stop, what: 'the check' };
      const found: unknown = await withTimeout(options, signal => check({ endpoint, signal }));
      if (found === true || found === undefined) return { ok: true };
      const message =
        found === false
          ? 'the check returned false'
          : `a check must return true, false or nothing, got ${describe(found)}`;
      return { ok: false, error: new HealthCheckError(message) };
    } catch (error) {
      return { ok: false, error: error ?? new HealthCheckError('the check failed without an error') };
    }
  }

  #judge(member: Member<E>, result: Result, ejectedUntil: number): void {
    const health = result.ok ? 'healthy' : 'unhealthy';
    try {
      if (member.health !== health) this.#change(member, health, result);
      else if (result.ok && this.#settings.endsEjection && member.ejectedUntil === ejectedUntil) {
        this.#endpoints.endEjection(member);
      }
    } catch {
      // Thrown by the policy: the next pick updates it again and throws to its caller
    }
  }

  #change(member: Member<E>, health: 'healthy' | 'unhealthy', result: Result): void {
    if (channels.health.hasSubscribers) {
      const about = { balancer: this.#balancer, endpoint: member.endpoint.id, healthy: result.ok };
      channels.health.publish(result.ok ? about : { ...about, error: result.error });
    }
    this.#endpoints.setHealth(member, health);
  }
}

/** A reason that reaches no caller. */
const ended = 'ended';
