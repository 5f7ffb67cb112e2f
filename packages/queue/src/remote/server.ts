import type { Driver } from '../driver.ts';
import { DeliveryLostError, UnsafeBackendError, UnsupportedError } from '../errors.ts';
import { checkCall, checkConsume, checkMessage, checkOf, checkSettlement } from './checks.ts';
import { toWire } from './errors.ts';
import { type Find, Hands } from './hands.ts';
import { type ClientMessage, compact, protocolVersion, type ServerMessage } from './protocol.ts';
import { ServedConsumer } from './served-consumer.ts';

/** A message of one type. */
type Of<T extends ClientMessage['type']> = ClientMessage & { readonly type: T };

export interface ServerParts {
  readonly driver: Driver;
  send(message: ServerMessage): void;
  /** Whether the other side keeps up with what is sent. Default: it does. */
  hasRoom?(): boolean;
  /** When it has last said that it has what was sent, by `performance.now()`. Default: it is there as long as its channel is. */
  heardAt?(): number;
  /** Finds deliveries that an earlier channel was given. */
  readonly find?: Find;
}

/** Lets the other side of one channel use a driver. */
export class Server {
  readonly #parts: ServerParts;
  readonly #hands: Hands;
  readonly #consumers = new Map<number, ServedConsumer>();

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#hands = new Hands(parts.driver.leaseMs ?? Infinity, parts.find ?? (() => undefined));
  }

  /** Takes one message of the other side; answers what can be answered. @throws InvalidOptionError for what has no form */
  receive(value: unknown): void {
    const message = checkMessage(value);
    switch (message.type) {
      case 'hello':
        this.#welcome(message);
        break;
      case 'call':
        this.#answer(message.id, () => this.#call(message));
        break;
      case 'settle':
        this.#answer(message.id, () => this.#settle(message));
        break;
      case 'consume':
        this.#consume(message);
        break;
      case 'leave':
        this.#leave(message.id);
        break;
    }
  }

  /** The channel has ended. What is in hands stays there until its lease ends. */
  close(): void {
    for (const consumer of this.#consumers.values()) consumer.abandon();
    this.#consumers.clear();
  }

  #welcome({ version, durable }: Of<'hello'>): void {
    const { driver, send } = this.#parts;
    if (version !== protocolVersion) {
      const words = `this side speaks version ${protocolVersion} of the protocol, the other ${version}`;
      send({ type: 'refused', error: toWire(new UnsafeBackendError(words)) });
    } else if (durable && !driver.capabilities.durable) {
      const words = 'the broker has no log, so that messages end with it; `durable: true` asks for one';
      send({ type: 'refused', error: toWire(new UnsafeBackendError(words)) });
    } else {
      const { kind = 'custom', capabilities, leaseMs } = driver;
      send({ type: 'hello', version: protocolVersion, kind, capabilities, leaseMs });
    }
  }

  #answer(
    id: number,
    work: () => Promise<Pick<ServerMessage & { type: 'reply' }, 'result' | 'parts'>>,
  ): void {
    const { send } = this.#parts;
    work().then(
      answer => send({ type: 'reply', id, ...answer }),
      error => send({ type: 'reply', id, error: toWire(error) }),
    );
  }

  async #call(message: Of<'call'>): Promise<{ result: unknown; parts?: readonly Uint8Array[] }> {
    const args = checkCall(message);
    const { driver } = this.#parts;
    const method = driver[message.operation] as ((...args: unknown[]) => Promise<unknown>) | undefined;
    if (method === undefined) throw new UnsupportedError(message.operation, driver.kind ?? 'custom', 'it');
    const result = await method.apply(driver, [...args]);
    return written(message.operation, result);
  }

  async #settle(message: Of<'settle'>): Promise<{ result?: unknown }> {
    const { how, args } = checkSettlement(message);
    const { token, again, of } = message;
    const [topic, group, id] = checkOf(of);
    const delivery = this.#hands.get(token, topic, group);
    if (delivery === undefined) {
      if (again && (await this.#isGone(message))) return {};
      throw new DeliveryLostError(id);
    }
    const method = delivery[how] as ((...args: unknown[]) => Promise<void>) | undefined;
    if (method === undefined) throw new UnsupportedError(how, this.#parts.driver.kind ?? 'custom', 'it');
    try {
      await method.apply(delivery, [...args]);
      if (how === 'extend') this.#hands.extend(token, args[0] as number);
      else if (how !== 'progress') this.#hands.drop(token);
    } catch (error) {
      if (error instanceof DeliveryLostError) this.#hands.drop(token);
      throw error;
    }
    return {};
  }

  /** Whether what was sent before has been done: then the message is no longer there. */
  async #isGone({ how, of, options }: Of<'settle'>): Promise<boolean> {
    const isLast =
      how === 'ack' || (how === 'nack' && (options as { dead?: string } | null)?.dead !== undefined);
    if (!isLast) return false;
    const job = await this.#parts.driver.find?.(...checkOf(of)).catch(() => ({ state: 'waiting' }));
    return job === undefined || job.state === 'done' || job.state === 'dead';
  }

  #consume(message: Of<'consume'>): void {
    const { driver, send } = this.#parts;
    const { id } = message;
    const left = (error?: unknown) => {
      this.#consumers.delete(id);
      send({ type: 'left', id, ...(error === undefined ? {} : { error: toWire(error) }) });
    };
    try {
      const { topic, group, options, holds } = checkConsume(message);
      const consumer = new ServedConsumer({
        prefetch: options.prefetch,
        hands: this.#hands,
        holds: holds.flatMap(token => {
          const delivery = this.#hands.get(token, topic, group);
          return delivery === undefined ? [] : [[token, delivery] as const];
        }),
        open: signal => driver.consume(topic, group, { ...options, signal }),
        given: (token, { id: of, body, headers, deliveries, failures, key }) => {
          const message = { id: of, headers, deliveries, failures, key };
          send({ type: 'delivery', id, token, message, parts: [compact(body)] });
        },
        left,
        hasRoom: () => this.#parts.hasRoom?.() ?? true,
        heardAt: () => this.#parts.heardAt?.() ?? Infinity,
      });
      this.#consumers.get(id)?.abandon();
      this.#consumers.set(id, consumer);
    } catch (error) {
      left(error);
    }
  }

  #leave(id: number): void {
    const consumer = this.#consumers.get(id);
    if (consumer === undefined) this.#parts.send({ type: 'left', id });
    else consumer.leave();
  }
}

/** Bytes go beside the result. */
function written(operation: string, result: unknown): { result: unknown; parts?: readonly Uint8Array[] } {
  if (operation === 'publish') {
    const published = result as readonly { readonly error?: Error }[];
    return {
      result: published.map(each =>
        each.error === undefined ? each : { ...each, error: toWire(each.error) },
      ),
    };
  }
  if (operation === 'inspect') {
    const letters = result as readonly { readonly body: Uint8Array }[];
    return {
      result: letters.map(({ body: _, ...rest }) => rest),
      parts: letters.map(({ body }) => compact(body)),
    };
  }
  if (operation === 'find' && result !== undefined) {
    const { progress, result: value, ...rest } = result as Record<string, Uint8Array | undefined>;
    const has = { progress: progress !== undefined, result: value !== undefined };
    const parts = [progress, value].filter(each => each !== undefined).map(compact);
    return { result: { ...rest, has }, parts };
  }
  return { result };
}
