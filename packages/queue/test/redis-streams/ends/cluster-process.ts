import cluster from 'node:cluster';
import { programArgs } from '@workspace/faults';
import { Redis } from 'ioredis';
import { redisStreams } from '../../../src/adapters/redis-streams.ts';
import { messages, Queue } from '../../../src/index.ts';

export interface ClusterSettings {
  readonly port: number;
  readonly prefix: string;
  readonly leaseMs: number;
}
export type ClusterMessage =
  | { readonly kind: 'begun'; readonly attempt: number }
  | { readonly kind: 'exit'; readonly code: number | null; readonly signal: string | null };

const { port, prefix, leaseMs } = JSON.parse(process.argv[2]!) as ClusterSettings;

if (cluster.isPrimary) {
  // One worker, and another in the place of one that was killed
  cluster.on('message', (_, message) => process.send!(message));
  cluster.on('exit', (_, code, signal) => {
    process.send!({ kind: 'exit', code, signal });
    if (signal === 'SIGKILL') cluster.fork();
  });
  process.on('message', told => {
    if (told === 'disconnect') cluster.disconnect();
    else for (const worker of Object.values(cluster.workers!)) worker!.process.kill('SIGKILL');
  });
  const [condition, exec, ...args] = programArgs(new URL(import.meta.url), process.argv[2]!);
  cluster.setupPrimary({ execArgv: [condition!], exec: exec!, args });
  cluster.fork();
} else {
  const redis = new Redis({ port, lazyConnect: true });
  const queue = new Queue(redisStreams({ redis, prefix, leaseMs }), {
    messages: messages<{ work: string }>(),
  });
  let end = () => {};
  const ended = new Promise<void>(resolve => {
    end = resolve;
  });
  process.once('disconnect', () => {
    end();
    void queue.close();
  });
  await queue.subscribe(
    'work',
    async (_, { attempt }) => {
      process.send!({ kind: 'begun', attempt });
      if (process.connected) await ended;
    },
    { group: 'group' },
  );
}
