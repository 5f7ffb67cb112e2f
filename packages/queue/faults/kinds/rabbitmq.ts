import { startRabbit } from '@workspace/services';
import { rabbitmq } from '../../src/adapters/rabbitmq.ts';
import type { Kind } from './kind.ts';

export const rabbitmqKind: Kind = {
  needs: 'rabbitmq',
  start: () => startRabbit({ own: true }),
  // A delivery lasts as long as its connection, which ends after two heartbeats
  driver: (port, leaseMs, timeoutMs = 2_000) =>
    rabbitmq({
      url: `amqp://guest:guest@127.0.0.1:${port}`,
      ...(leaseMs && { heartbeatMs: Math.min(Math.max(1_000, leaseMs / 3), 60_000) }),
      timeoutMs,
    }),
};
