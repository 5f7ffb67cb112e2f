import { randomUUID } from 'node:crypto';
import { startNats, startTcpProxy } from '@workspace/services';
import { nats } from '../../src/adapters/nats.ts';
import { realStage } from './real-stage.ts';
import { type Site, timeoutMs } from './site.ts';

export async function natsSite(): Promise<Site> {
  const leaseMs = 1_000;
  const server = await startNats({ own: true });
  const proxy = await startTcpProxy({ target: server.port });
  const open = (prefix: string) =>
    nats({ connection: { servers: `127.0.0.1:${proxy.port}` }, prefix, leaseMs, timeoutMs });
  const probe = open('probe');
  const { capabilities } = probe;
  await probe[Symbol.asyncDispose]();
  return {
    capabilities,
    mostProcesses: 3,
    breaks: true,
    leaseMs,
    // Until nats-server#5305 and #5338, of April 2024, when it is slow
    repeats: true,
    async begin(processes) {
      const prefix = randomUUID();
      return realStage({ processes, open: () => open(prefix), break: async () => proxy.cut() });
    },
    async [Symbol.asyncDispose]() {
      await proxy.stop();
      await server.stop();
    },
  };
}
