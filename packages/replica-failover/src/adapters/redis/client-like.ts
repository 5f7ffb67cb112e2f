/** The part of a client of ioredis that is used. */
export interface RedisClientLike {
  readonly options: object;
  readonly stream?: { destroy(): unknown; ref?(): unknown; unref?(): unknown } | null;
  connect(): Promise<unknown>;
  disconnect(): void;
  on(event: string, listener: (...parameters: never[]) => void): unknown;
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: what ioredis sends and gives back is its own
  sendCommand(command: any, ...rest: any[]): unknown;
}

/** What every client needs, so that nothing is sent twice, queued, or sent to another server than it was meant for. */
export interface RedisSettings {
  readonly lazyConnect: true;
  readonly enableOfflineQueue: false;
  readonly autoResendUnfulfilledCommands: false;
  readonly autoResubscribe: false;
  readonly enableAutoPipelining: false;
  readonly enableReadyCheck: false;
  readonly maxRetriesPerRequest: null;
  readonly retryStrategy: () => null;
  readonly reconnectOnError: null;
}

export const redisSettings: RedisSettings = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableAutoPipelining: false,
  enableReadyCheck: false,
  maxRetriesPerRequest: null,
  retryStrategy: () => null,
  reconnectOnError: null,
};

/** Makes a client that is not connected: `(connection, settings) => new Redis(connection, settings)`. */
export type NewRedisClient<C extends RedisClientLike, S> = (connection: S, settings: RedisSettings) => C;
