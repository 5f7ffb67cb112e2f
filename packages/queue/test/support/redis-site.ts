import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, type Redis as RedisServer, startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect } from 'vitest';

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

  /** It refuses whatever writes (`MISCONF`), as when its disk is full, until the returned function is called. */
  async failToSave(): Promise<() => Promise<void>> {
    const inTheWay = join(this.server.directory, 'dump.rdb');
    const save = (status: string) =>
      eventually(
        async () => {
          await this.admin.bgsave().catch(() => {}); // One may be under way
          expect(await this.admin.info('persistence')).toContain(`rdb_last_bgsave_status:${status}`);
        },
        { withinMs: 20_000 },
      );
    await rm(inTheWay, { force: true });
    await mkdir(inTheWay);
    await this.admin.config('SET', 'save', '3600 1000000');
    await save('err');
    return async () => {
      await rm(inTheWay, { recursive: true });
      await save('ok');
      await this.admin.config('SET', 'save', '');
    };
  }
}
