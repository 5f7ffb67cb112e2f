import { randomUUID } from 'node:crypto';
import { startRabbit, startTcpProxy } from '@workspace/services';
import { rabbitmq } from '../../src/adapters/rabbitmq.ts';
import { realStage } from './real-stage.ts';
import type { Site } from './site.ts';

export async function rabbitmqSite(): Promise<Site> {
  const server = await startRabbit({ own: true });
  const proxy = await startTcpProxy({ target: server.port });
  const url = `amqp://guest:guest@127.0.0.1:${proxy.port}`;
  const probe = rabbitmq({ url });
  const { capabilities } = probe;
  await probe[Symbol.asyncDispose]();
  return {
    capabilities,
    mostProcesses: 3,
    breaks: true,
    leaseMs: 1_000,
    hasLeases: false,
    forgets: true,
    async begin(processes) {
      const prefix = randomUUID();
      return realStage({
        processes,
        open: () => rabbitmq({ url, prefix }),
        break: async () => proxy.cut(),
      });
    },
    async [Symbol.asyncDispose]() {
      await proxy.stop();
      await server.stop();
    },
  };
}
