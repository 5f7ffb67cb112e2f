/**
 * Of ioredis a `Redis` (also through Sentinel) or `Cluster`, of node-redis 5 what `createClient` or `createCluster` return. It
 * stays unused, and need not be connected: connections are opened with its settings.
 */
export interface RedisLike {
  duplicate(...args: never[]): unknown;
  readonly isCluster?: boolean;
}

export type Argument = string | number | Buffer;

/** The part of an ioredis client that is used. */
export interface Client {
  /** In a cluster, where the key decides on the node: its host and port, while connected. */
  readonly node?: string | undefined;
  /** The socket of a client of ioredis, once there is one. */
  readonly stream?:
    | { on(event: 'error', listener: () => void): unknown; unref(): unknown }
    | null
    | undefined;
  connect(): Promise<unknown>;
  disconnect(): void;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'connect' | 'close' | 'end', listener: () => void): unknown;
  on(
    event: 'messageBuffer',
    listener: (channel: Buffer, message: Buffer | readonly Buffer[] | null) => void,
  ): unknown;
  call(command: string, args: readonly Argument[]): Promise<unknown>;
  callBuffer(command: string, args: readonly Argument[]): Promise<unknown>;
}

export interface ClientOptions {
  /** What Redis lists the connection as (`CLIENT SETNAME`): the name of the package that uses it. */
  readonly connectionName: string;
  /** Milliseconds until an attempt to connect fails. */
  readonly connectTimeoutMs: number;
  /**
   * One of the keys that are used, which all have its hash tag: in a cluster, the client connects to the primary that has
   * it, alone. Without it, a Cluster of ioredis routes each command, and one of node-redis is refused.
   */
  readonly key?: string;
}

/** Whether it has what a link calls. */
export function isClient(client: unknown): client is Client {
  const { callBuffer, connect, disconnect } = (client ?? {}) as Partial<Client>;
  return [callBuffer, connect, disconnect].every(method => typeof method === 'function');
}
