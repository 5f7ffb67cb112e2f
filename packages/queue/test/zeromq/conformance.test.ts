import { randomUUID } from 'node:crypto';
import { startTcpProxy, type TcpProxy } from '@workspace/services';
import { afterAll, beforeAll, describe } from 'vitest';
import { zeromq } from '../../src/adapters/zeromq.ts';
import { queueConformance } from '../../src/conformance.ts';
import type { Driver } from '../../src/index.ts';
import { prefixed } from '../support/prefixed.ts';
import { sideBySide } from '../support/side-by-side.ts';
import { startZeroMQ, type ZeroMQServer } from '../support/zeromq-server.ts';

const sites = {
  'zeromq without a log': {
    start: () => startZeroMQ({ leaseMs: 2_000 }),
    connect: (connect: string): Driver => zeromq({ connect }),
  },
  'zeromq with a log': {
    start: () => startZeroMQ({ leaseMs: 2_000, log: true }),
    connect: (connect: string): Driver => zeromq({ connect, durable: true }),
  },
};

for (const [name, { start, connect }] of Object.entries(sites)) {
  describe(name, () => {
    const { capabilities } = connect('inproc://nowhere');
    let server: ZeroMQServer;
    let proxy: TcpProxy;
    beforeAll(async () => {
      server = await start();
      proxy = await startTcpProxy({ target: server.port });
    });
    afterAll(async () => {
      await proxy.stop();
      await server.stop();
    });

    queueConformance(
      sideBySide,
      async () => {
        const drivers: Driver[] = [];
        const open = async () => {
          // Topics of its own, as the broker lives on
          const driver = prefixed(connect(`tcp://127.0.0.1:${proxy.port}`), prefix);
          drivers.push(driver);
          await driver.declare('another', 'group');
          return driver;
        };
        const prefix = randomUUID();
        return {
          driver: await open(),
          other: open,
          break: async () => proxy.cut(),
          async [Symbol.asyncDispose]() {
            await Promise.all(drivers.map(driver => driver[Symbol.asyncDispose]()));
          },
        };
      },
      { name, capabilities, features: { others: true, breaks: true } },
    );
  });
}
