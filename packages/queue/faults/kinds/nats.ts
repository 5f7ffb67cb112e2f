import { startNats } from '@workspace/services';
import { nats } from '../../src/adapters/nats.ts';
import type { Kind } from './kind.ts';

export const natsKind: Kind = {
  needs: 'nats',
  start: () => startNats({ own: true }),
  driver: (port, leaseMs, timeoutMs = 2_000) =>
    nats({
      connection: { servers: `127.0.0.1:${port}` },
      ...(leaseMs && { leaseMs }),
      timeoutMs,
    }),
};
