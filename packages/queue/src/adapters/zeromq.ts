import { boolean, durationMs, integer, type RulesFor, readOptions, required, text } from '@ashlar/core';
import type { Capabilities, Driver } from '../driver.ts';
import { RemoteDriver } from '../remote/client.ts';
import { socketOptions } from './zeromq/broker.ts';
import { beatMs, maxMessageBytes } from './zeromq/limits.ts';
import { endpointAdvice, Line } from './zeromq/line.ts';

export {
  type Broker,
  type BrokerLogOptions,
  type BrokerOptions,
  type BrokerSnapshot,
  startBroker,
} from './zeromq/broker.ts';

export interface ZeroMQOptions<Durable extends boolean = boolean> {
  /** The endpoint of the broker: `tcp://queue.internal:5555` or `ipc:///run/queue.sock`. */
  readonly connect: string;
  /** Require a broker with a log. A broker without one is refused with UnsafeBackendError. Default: false. */
  readonly durable?: Durable;
  /** Milliseconds for a call, the wait for a connection included. Default: 5 000. */
  readonly timeoutMs?: number;
  /** The most bytes of messages that may wait for their confirmation; more are refused. Default: 67 108 864. */
  readonly maxUnconfirmedBytes?: number;
  /** More options for the Dealer of zeromq.js, such as `curveServerKey`, `curvePublicKey` and `curveSecretKey`. Default: none. */
  readonly socket?: Readonly<Record<string, unknown>>;
}

/** What the ZeroMQ driver can do; what outlives the broker's process needs its log. */
export interface ZeroMQCapabilities<Durable extends boolean = boolean> extends Capabilities {
  readonly delay: true;
  readonly priority: true;
  readonly fanout: true;
  readonly durable: Durable;
  readonly orderedKeys: true;
  readonly deadLetters: true;
  readonly crashCount: true;
  readonly uniqueIds: Durable;
  readonly deduplication: true;
  readonly fairness: true;
  readonly limits: true;
  readonly expiry: true;
  readonly jobs: true;
}

const rules = {
  connect: required(text(), endpointAdvice),
  durable: boolean(false),
  timeoutMs: durationMs(5_000, { above: 0, max: 2 ** 30 }),
  maxUnconfirmedBytes: integer(2 ** 26, { min: 1 }),
  socket: (value, option) => socketOptions(value, option) ?? {},
} satisfies RulesFor<ZeroMQOptions>;

/**
 * Messages at a broker of `startBroker`, over ZeroMQ. Without the log of the broker a message is delivered at most once
 * across the death of the broker; with `durable: true` what was confirmed outlives it.
 *
 * @throws InvalidOptionError
 */
export function zeromq<const Durable extends boolean = false>(
  options: ZeroMQOptions<Durable>,
): Driver<ZeroMQCapabilities<Durable>> {
  const settings = readOptions('zeromq', options, rules);
  const { connect: endpoint, durable, timeoutMs, maxUnconfirmedBytes, socket } = settings;
  const line = new Line({ endpoint, socket, beatMs });
  return new RemoteDriver({
    kind: 'zeromq',
    server: `the broker at ${endpoint}`,
    capabilities: capabilities(durable as Durable),
    leaseMs: 7_500,
    timeoutMs,
    maxUnconfirmedBytes,
    maxMessageBytes,
    reopens: true,
    open: events => line.open(events),
    trouble: () => line.trouble,
  });
}

function capabilities<Durable extends boolean>(durable: Durable): ZeroMQCapabilities<Durable> {
  return {
    delay: true,
    priority: true,
    fanout: true,
    durable,
    orderedKeys: true,
    deadLetters: true,
    crashCount: true,
    uniqueIds: durable,
    deduplication: true,
    fairness: true,
    limits: true,
    expiry: true,
    jobs: true,
  };
}
