import { zeromq } from '../../src/adapters/zeromq.ts';
import { startZeroMQ } from '../../test/support/zeromq-server.ts';
import type { Kind } from './kind.ts';

export const zeromqKind: Kind = {
  start: leaseMs => startZeroMQ({ log: true, ...(leaseMs && { leaseMs }) }),
  driver: (port, _, timeoutMs = 2_000) =>
    zeromq({ connect: `tcp://127.0.0.1:${port}`, durable: true, timeoutMs }),
};
