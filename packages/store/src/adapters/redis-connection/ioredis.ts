import type { Client, ClientOptions, RedisLike } from './client.ts';
import { ClusterNode, type Primary } from './cluster-node.ts';

/** The part of a Cluster of ioredis that is used. */
interface IoredisCluster {
  readonly options?: { readonly keyPrefix?: string };
  duplicate(nodes: readonly [], overrides: object): IoredisCluster;
  connect(): Promise<unknown>;
  disconnect(): void;
  on(event: 'error', listener: () => void): unknown;
  nodes(role: 'master'): readonly IoredisNode[];
}

interface IoredisNode {
  readonly options: { readonly host?: string; readonly port?: number };
  duplicate(overrides: object): Client;
  call(command: string, args: readonly string[]): Promise<unknown>;
}

/** As `clientLike`. What it returns is unchecked. */
export function ioredisLike(redis: RedisLike, options: ClientOptions): unknown {
  const connection = connectionOf(options);
  if (!redis.isCluster) return (redis as { duplicate(overrides: object): unknown }).duplicate(connection);
  const given = redis as unknown as IoredisCluster;
  if (options.key === undefined) return given.duplicate([], clusterOf(options));
  const { keyPrefix = '' } = given.options ?? {};
  return new ClusterNode(`${keyPrefix}${options.key}`, async () => {
    // The check that it is ready leaves `connect` pending when the cluster is not, or when one node is silent
    const scout = given.duplicate([], { ...clusterOf(options), enableReadyCheck: false });
    scout.on('error', () => {}); // what rejects says the same
    const end = () => scout.disconnect();
    try {
      await scout.connect();
      return {
        primaries: scout.nodes('master').map(node => primary(node, { ...connection, keyPrefix })),
        end,
      };
    } catch (error) {
      end();
      throw error;
    }
  });
}

function primary(node: IoredisNode, connection: object): Primary {
  const { host, port } = node.options;
  return {
    address: `${host}:${port}`,
    call: (command, args) => node.call(command, args),
    client: async () => node.duplicate(connection),
  };
}

const never = () => null;

/** For one connection, which never reconnects and queues nothing. */
function connectionOf({ connectionName, connectTimeoutMs }: ClientOptions): object {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: false,
    readOnly: false,
    retryStrategy: never,
    reconnectOnError: null,
    maxRetriesPerRequest: null,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: 100,
    commandTimeout: undefined,
    blockingTimeout: undefined,
    socketTimeout: undefined,
    connectionName,
    stringNumbers: false,
    protocol: 2,
    replyMapping: 'legacy',
    scripts: undefined,
  };
}

function clusterOf(options: ClientOptions): object {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    scaleReads: 'master',
    clusterRetryStrategy: never,
    clusterNodeRetryStrategy: null,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: options.connectTimeoutMs,
    scripts: undefined,
    // The connections of a cluster are opened by their first command, which must wait for them
    redisOptions: { ...connectionOf(options), enableOfflineQueue: true },
  };
}
