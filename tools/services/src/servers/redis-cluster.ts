import { freePorts } from '../network/ports.ts';
import { type RedisServer, says, startRedisServer } from './redis.ts';
import type { Server } from './server.ts';
import { together } from './together.ts';

export interface RedisCluster extends Server {
  /** The primaries; each holds a run of the 16 384 slots, in this order. */
  readonly nodes: readonly RedisServer[];
}

const slots = 16_384;

/** Starts a Redis Cluster of primaries that share the slots evenly; resolves when each says that all is well. */
export function startRedisCluster({ nodes: count = 3 }: { nodes?: number } = {}): Promise<RedisCluster> {
  return together(async member => {
    const busPorts = await freePorts(count);
    const nodes = await Promise.all(
      busPorts.map((busPort, index) =>
        member(
          startRedisServer(`redis-cluster-${index}`, [
            'save ""',
            'cluster-enabled yes',
            `cluster-port ${busPort}`,
          ]),
        ),
      ),
    );
    const isOk = (reply: string) => reply.includes('+OK');
    for (const [index, node] of nodes.entries()) {
      const first = Math.ceil((index * slots) / count);
      const last = Math.ceil(((index + 1) * slots) / count) - 1;
      await says(node, `CLUSTER ADDSLOTSRANGE ${first} ${last}`, isOk);
      await says(node, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`, isOk);
    }
    for (const [index, node] of nodes.entries()) {
      await says(nodes[0]!, `CLUSTER MEET 127.0.0.1 ${node.port} ${busPorts[index]}`, isOk);
    }
    for (const node of nodes) {
      await says(node, 'CLUSTER INFO', reply => isWell(reply, count));
    }
    return [nodes[0]!, { nodes }] as const;
  });
}

function isWell(reply: string, count: number): boolean {
  return reply.includes('cluster_state:ok') && reply.includes(`cluster_known_nodes:${count}`);
}
