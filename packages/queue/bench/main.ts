import { main } from '@workspace/bench';
import { bullmqBenches } from './bullmq.ts';
import { engine } from './engine.ts';
import { memory } from './memory.ts';
import { natsBenches } from './nats.ts';
import { outboxes } from './outbox.ts';
import { postgresBenches } from './postgres.ts';
import { rabbitmqBenches } from './rabbitmq.ts';
import { redis } from './redis/redis.ts';
import { tenants } from './tenants/tenants.ts';
import { zeromqBenches } from './zeromq.ts';

await main([
  ...memory,
  ...engine,
  ...redis,
  ...postgresBenches,
  ...bullmqBenches,
  ...zeromqBenches,
  ...natsBenches,
  ...rabbitmqBenches,
  ...outboxes,
  ...tenants,
]);
