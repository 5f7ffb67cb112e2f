import { randomUUID } from 'node:crypto';
import { startTcpProxy } from '@workspace/services';
import { type ZeroMQCapabilities, zeromq } from '../../src/adapters/zeromq.ts';
import { prefixed } from '../../test/support/prefixed.ts';
import { startZeroMQ } from '../../test/support/zeromq-server.ts';
import { realStage } from './real-stage.ts';
import { type Site, timeoutMs } from './site.ts';

const leaseMs = 2_000;

/** A broker with a log, in a process of its own. */
export async function zeromqSite(): Promise<Site> {
  const server = await startZeroMQ({ log: true, leaseMs });
  const proxy = await startTcpProxy({ target: server.port });
  const open = () => zeromq({ connect: `tcp://127.0.0.1:${proxy.port}`, durable: true, timeoutMs });
  const probe = open();
  const capabilities: ZeroMQCapabilities = probe.capabilities;
  await probe[Symbol.asyncDispose]();
  return {
    capabilities,
    mostProcesses: 3,
    breaks: true,
    loses: true,
    leaseMs,
    async begin(processes) {
      const prefix = randomUUID();
      return realStage({
        processes,
        open: () => prefixed(open(), prefix),
        break: async () => proxy.cut(),
        proxy,
      });
    },
    async [Symbol.asyncDispose]() {
      await proxy.stop();
      await server.stop();
    },
  };
}
