import { type Redis as RedisServer, startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';

/** A Redis of its own for the tests of a file, and a client past what is tested. */
export class RedisSite {
  server!: RedisServer;
  admin!: Redis;

  constructor() {
    beforeAll(async () => {
      this.server = await startRedis({ own: true });
      this.admin = new Redis(this.server.port);
    });
    afterAll(async () => {
      this.admin?.disconnect();
      await this.server?.stop();
    });
  }
}
