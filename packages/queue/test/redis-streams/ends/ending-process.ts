import { parentPort, workerData } from 'node:worker_threads';
import { Redis } from 'ioredis';
import { redisStreams } from '../../../src/adapters/redis-streams.ts';
import { messages, Queue } from '../../../src/index.ts';

export interface EndingSettings {
  readonly port: number;
  readonly prefix: string;
  readonly leaseMs: number;
  /** What the handler does. */
  readonly how: 'ends' | 'hangs' | 'exits' | 'strays';
}
export type EndingMessage = 'begun' | 'done' | 'closed';

// A worker as a user writes it, and what may end it
const { port, prefix, leaseMs, how } = (workerData ?? JSON.parse(process.argv[2]!)) as EndingSettings;
const say = async (message: EndingMessage) => {
  if (parentPort !== null) parentPort.postMessage(message);
  else await new Promise(resolve => process.send!(message, resolve));
};
const redis = new Redis({ port, lazyConnect: true });
const queue = new Queue(redisStreams({ redis, prefix, leaseMs }), { messages: messages<{ work: string }>() });

let end = () => {};
const ended = new Promise<void>(resolve => {
  end = resolve;
});
process.once('SIGTERM', () => {
  end();
  void queue.close().then(() => process.disconnect());
});
process.once('SIGINT', () => void queue.close({ timeoutMs: 500 }).then(() => say('closed')));
await queue.subscribe(
  'work',
  async () => {
    await say('begun');
    if (how === 'exits') process.exit(3);
    if (how === 'strays') void Promise.reject(new Error('nobody waits for this'));
    await (how === 'ends' ? ended : new Promise(() => {}));
    await say('done');
  },
  { group: 'group' },
);
