import type { Argument, Client, ClientOptions } from './client.ts';
import { ClusterNode, type Primary } from './cluster-node.ts';

type On = (event: string, listener: (...args: never[]) => void) => unknown;
type Subscriber = (message: never, channel: never) => void;

/** The part of a client of node-redis 5 that is used. */
export interface NodeRedis {
  readonly isOpen: boolean;
  readonly options?: { readonly socket?: object };
  duplicate(overrides: object): NodeRedis;
  connect(): Promise<unknown>;
  destroy(): void;
  on: On;
  sendCommand(args: readonly (string | Buffer)[], options: object): Promise<unknown>;
  subscribe(channel: string, listener: Subscriber, asBytes: true): Promise<unknown>;
}

/** The part of a cluster of node-redis 5 that is used. */
interface NodeRedisCluster {
  readonly _options?: { readonly defaults?: { readonly socket?: object } };
  readonly masters: readonly { readonly address: string }[];
  duplicate(overrides: object): NodeRedisCluster;
  connect(): Promise<unknown>;
  destroy(): void;
  on: On;
  nodeClient(node: { readonly address: string }): Promise<NodeRedis>;
  sendCommand(
    key: string,
    isReadonly: boolean,
    args: readonly (string | Buffer)[],
    options: object,
  ): Promise<unknown>;
}

/** The codes of bulk and simple strings in its `typeMapping`. */
const asBuffers = { 36: Buffer, 43: Buffer };

/** Whether it is of node-redis 5: a client or a cluster. */
export function isNodeRedis(redis: object): boolean {
  const { sendCommand, destroy, callBuffer } = redis as { readonly [name: string]: unknown };
  return typeof sendCommand === 'function' && typeof destroy === 'function' && callBuffer === undefined;
}

/** Sends a command on the given client or cluster itself, there to the primary of the key. Text in the answer comes as text. */
export function sendNodeRedis(
  redis: object,
  key: string,
  args: readonly (string | Buffer)[],
): Promise<unknown> {
  const options = { typeMapping: {} };
  if ('masters' in redis) return (redis as NodeRedisCluster).sendCommand(key, false, args, options);
  return (redis as NodeRedis).sendCommand(args, options);
}

/** As `clientLike`. A cluster needs `key`. */
export function nodeRedisLike(redis: object, options: ClientOptions): Client {
  if (!('masters' in redis)) return new NodeRedisClient(connectionLike(redis as NodeRedis, options));
  const cluster = redis as NodeRedisCluster;
  return new ClusterNode(options.key ?? '', async () => {
    const scout = cluster.duplicate(scoutOf(cluster, options));
    scout.on('error', () => {}); // what rejects says the same
    try {
      await scout.connect();
      return {
        primaries: scout.masters.map(master => primary(scout, master, options)),
        end: () => end(scout),
      };
    } catch (error) {
      end(scout);
      throw error;
    }
  });
}

/** It waits for no node that is dead or silent, of which there may be one beside those that matter. */
function scoutOf({ _options }: NodeRedisCluster, { connectTimeoutMs }: ClientOptions): object {
  const { defaults } = _options ?? {};
  const socket = {
    ...defaults?.socket,
    connectTimeout: connectTimeoutMs,
    socketTimeout: connectTimeoutMs,
    reconnectStrategy: false,
  };
  return { minimizeConnections: true, defaults: { ...defaults, socket } };
}

function primary(
  scout: NodeRedisCluster,
  master: { readonly address: string },
  options: ClientOptions,
): Primary {
  const node = scout.nodeClient(master);
  node.catch(() => {}); // `call` and `client` reject with it
  return {
    address: master.address,
    call: async (command, args) => (await node).sendCommand([command, ...args], { typeMapping: {} }),
    client: async () => new NodeRedisClient(connectionLike(await node, options)),
  };
}

/** For one connection, which never reconnects and queues nothing. */
function connectionLike(redis: NodeRedis, { connectionName, connectTimeoutMs }: ClientOptions): NodeRedis {
  return redis.duplicate({
    RESP: 2,
    name: connectionName,
    commandOptions: undefined,
    disableOfflineQueue: true,
    commandsQueueMaxLength: undefined,
    clientSideCache: undefined,
    emitInvalidate: false,
    maintNotifications: 'disabled',
    pingInterval: undefined,
    readonly: false,
    socket: {
      ...redis.options?.socket,
      connectTimeout: connectTimeoutMs,
      socketTimeout: undefined,
      reconnectStrategy: false,
    },
  });
}

/** A client of node-redis with the calls of ioredis, for one connection. */
class NodeRedisClient implements Client {
  readonly #client: NodeRedis;
  readonly #received: ((channel: Buffer, message: Buffer | readonly Buffer[] | null) => void)[] = [];

  constructor(client: NodeRedis) {
    this.#client = client;
    client.on('error', () => {}); // without a listener it would be thrown
  }

  on(event: string, listener: (...args: never[]) => void): this {
    const client = this.#client;
    if (event === 'messageBuffer') this.#received.push(listener as () => void);
    // a lost connection is an error and no more; the last of its errors comes when the client has ended
    else if (event === 'close') client.on('error', () => client.isOpen || (listener as () => void)());
    else client.on(event, listener);
    return this;
  }

  connect(): Promise<unknown> {
    return this.#client.connect();
  }

  disconnect(): void {
    end(this.#client);
  }

  call(command: string, args: readonly Argument[]): Promise<unknown> {
    return command === 'subscribe' ? this.#subscribe(args.map(String)) : this.#send(command, args, {});
  }

  callBuffer(command: string, args: readonly Argument[]): Promise<unknown> {
    return this.#send(command, args, asBuffers);
  }

  async #send(command: string, args: readonly Argument[], typeMapping: object): Promise<unknown> {
    const texts = args.map(arg => (typeof arg === 'number' ? String(arg) : arg));
    return this.#client.sendCommand([command, ...texts], { typeMapping }).catch(asReply);
  }

  async #subscribe(channels: readonly string[]): Promise<void> {
    const take = (message: never, channel: never) => {
      for (const received of this.#received) received(channel, message);
    };
    for (const channel of channels) await this.#client.subscribe(channel, take, true).catch(asReply);
  }
}

/** It throws when it has ended by itself. */
function end(client: { destroy(): void }): void {
  try {
    client.destroy();
  } catch {}
}

/** What the server answers begins with a code in capitals; no other error does. */
function asReply(error: unknown): never {
  if (error instanceof Error && /^[A-Z][A-Z0-9_]+ /u.test(error.message)) {
    throw Object.assign(new Error(error.message, { cause: error }), { name: 'ReplyError' });
  }
  throw error;
}
