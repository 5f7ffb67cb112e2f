import type { experimental as Experimental } from '@grpc/grpc-js';
import { experimental } from '#grpc';
import type { Endpoint } from '../../endpoint.ts';
import { NoEndpointError } from '../../errors.ts';
import type { Picked } from '../../request.ts';
import type { ChannelSettings } from './channels.ts';

/** How long a call may take from its pick to its start; its credentials are fetched in between. */
const startWithinMs = 30_000;

/** Picks whose calls have not started. Grpc-js does not report a call that never starts, so picks expire. */
export class Unstarted {
  readonly #since = new Map<Picked<Endpoint>, number>();

  add(picked: Picked<Endpoint>): void {
    const now = performance.now();
    for (const [oldest, since] of this.#since) {
      if (now - since < startWithinMs) break;
      this.#since.delete(oldest);
      oldest.done();
    }
    this.#since.set(picked, now);
  }

  delete(picked: Picked<Endpoint>): void {
    this.#since.delete(picked);
  }

  clear(): void {
    for (const picked of this.#since.keys()) picked.done();
    this.#since.clear();
  }
}

/** Picks an endpoint among the connected ones. */
export class BalancedPicker implements Experimental.Picker {
  readonly #channel: ChannelSettings<Endpoint>;
  readonly #unstarted: Unstarted;
  /** By endpoint id. */
  readonly #ready: ReadonlyMap<string, Experimental.Picker>;
  readonly #exclude: readonly string[];

  constructor(
    channel: ChannelSettings<Endpoint>,
    unstarted: Unstarted,
    ready: ReadonlyMap<string, Experimental.Picker>,
    unready: readonly string[],
  ) {
    this.#channel = channel;
    this.#unstarted = unstarted;
    this.#ready = ready;
    this.#exclude = unready;
  }

  pick(args: Experimental.PickArgs): Experimental.PickResult {
    const { balancer, key, waitForReady } = this.#channel;
    let picked: Picked<Endpoint>;
    try {
      picked = balancer.pick({ key: key(args.metadata), exclude: this.#exclude });
    } catch (error) {
      // All that may take it are not connected
      if (waitForReady && error instanceof NoEndpointError && error.reason === 'excluded') return queued;
      const details = error instanceof NoEndpointError ? error.message : String(error);
      return new experimental.UnavailablePicker({ details }).pick(args);
    }
    const result = this.#ready.get(picked.endpoint.id)?.pick(args);
    if (result?.pickResultType === experimental.PickResultType.COMPLETE)
      return this.#followed(picked, result);
    picked.done();
    return result ?? queued;
  }

  #followed(picked: Picked<Endpoint>, result: Experimental.PickResult): Experimental.PickResult {
    this.#unstarted.add(picked);
    return {
      ...result,
      onCallStarted: () => {
        this.#unstarted.delete(picked);
        result.onCallStarted?.();
      },
      onCallEnded: (code, details, metadata) => {
        picked.done(this.#channel.classify({ code, details, metadata }));
        result.onCallEnded?.(code, details, metadata);
      },
    };
  }
}

/** The endpoint has no connection yet: grpc-js picks again when connections are updated. */
const queued: Experimental.PickResult = {
  pickResultType: experimental.PickResultType.QUEUE,
  subchannel: null,
  status: null,
  onCallStarted: null,
  onCallEnded: null,
};
