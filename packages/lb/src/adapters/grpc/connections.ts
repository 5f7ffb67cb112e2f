import type { ChannelOptions, experimental as Experimental } from '@grpc/grpc-js';
import { connectivityState, experimental } from '#grpc';
import type { Endpoint } from '../../endpoint.ts';
import { type ChannelSettings, channelOf } from './channels.ts';
import { BalancedPicker, Unstarted } from './picker.ts';
import { addressOf } from './resolver.ts';

/** The name of this load balancer in service configurations. */
export const typeName = 'ashlar';

/** `{ ashlar: { channel } }` of a service configuration. */
export class BalancerConfig implements Experimental.TypedLoadBalancingConfig {
  readonly channel: string;

  static createFromJson(json: { readonly channel?: unknown }): BalancerConfig {
    return new BalancerConfig(String(json.channel));
  }

  constructor(channel: string) {
    this.channel = channel;
  }

  getLoadBalancerName(): string {
    return typeName;
  }

  toJsonObject(): object {
    return { [typeName]: { channel: this.channel } };
  }
}

interface Connection {
  readonly url: string | undefined;
  readonly leaf: Experimental.LeafLoadBalancer;
}

/** Keeps one connection to each endpoint. The balancer picks among the connected ones. */
export class Connections implements Experimental.LoadBalancer {
  readonly #helper: Experimental.ChannelControlHelper;
  readonly #leafHelper: Experimental.ChannelControlHelper;
  readonly #unstarted = new Unstarted();
  #channel: ChannelSettings<Endpoint> | undefined;
  #connections = new Map<string, Connection>();
  #updating = false;
  #lastError = 'none was tried';

  constructor(helper: Experimental.ChannelControlHelper) {
    this.#helper = helper;
    this.#leafHelper = experimental.createChildChannelControlHelper(helper, {
      updateState: (_state, _picker, error) => {
        this.#lastError = error ?? this.#lastError;
        this.#refresh();
      },
    });
  }

  updateAddressList(
    _endpoints: Experimental.StatusOr<Experimental.Endpoint[]>,
    config: Experimental.TypedLoadBalancingConfig,
    options: ChannelOptions,
    note: string,
  ): boolean {
    if (!(config instanceof BalancerConfig)) return false;
    this.#channel = channelOf(config.channel);
    const before = this.#connections;
    this.#connections = new Map();
    this.#updating = true;
    for (const endpoint of this.#channel?.balancer.endpoints ?? []) {
      const { id, url } = endpoint;
      const known = before.get(id);
      const address = addressOf(endpoint);
      if (address === undefined) continue;
      if (known?.url === url && known !== undefined) {
        this.#connections.set(id, known);
        continue;
      }
      const leaf = new experimental.LeafLoadBalancer(
        { addresses: [address] },
        this.#leafHelper,
        options,
        note,
      );
      this.#connections.set(id, { url, leaf });
      leaf.startConnecting();
    }
    for (const [id, connection] of before) {
      if (this.#connections.get(id) !== connection) connection.leaf.destroy();
    }
    this.#updating = false;
    this.#refresh();
    return true;
  }

  /** Connections are never idle for long: all are kept connected. */
  exitIdle(): void {
    for (const { leaf } of this.#connections.values()) leaf.exitIdle();
  }

  /** Connections have a back-off of their own. */
  resetBackoff(): void {}

  destroy(): void {
    this.#updating = true;
    for (const { leaf } of this.#connections.values()) leaf.destroy();
    this.#connections.clear();
    this.#unstarted.clear();
  }

  getTypeName(): string {
    return typeName;
  }

  #refresh(): void {
    if (this.#updating) return;
    const all = [...this.#connections];
    const ready = all.filter(([, { leaf }]) => leaf.getConnectivityState() === connectivityState.READY);
    const some = (state: number) => all.some(([, { leaf }]) => leaf.getConnectivityState() === state);
    if (this.#channel !== undefined && ready.length > 0) {
      const pickers = new Map(ready.map(([id, { leaf }]) => [id, leaf.getPicker()]));
      const unready = all.filter(([id]) => !pickers.has(id)).map(([id]) => id);
      const picker = new BalancedPicker(this.#channel, this.#unstarted, pickers, unready);
      this.#helper.updateState(connectivityState.READY, picker, null);
    } else if (some(connectivityState.CONNECTING) || some(connectivityState.IDLE)) {
      this.#helper.updateState(connectivityState.CONNECTING, new experimental.QueuePicker(this), null);
    } else {
      const details = `no endpoint of ${this.#channel?.balancer.name} could be connected to: ${this.#lastError}`;
      const waits = this.#channel?.waitForReady === true && all.length > 0;
      const picker = waits
        ? new experimental.QueuePicker(this)
        : new experimental.UnavailablePicker({ details });
      this.#helper.updateState(connectivityState.TRANSIENT_FAILURE, picker, details);
    }
    for (const [, { leaf }] of all) {
      if (leaf.getConnectivityState() === connectivityState.IDLE) leaf.exitIdle();
    }
  }
}
