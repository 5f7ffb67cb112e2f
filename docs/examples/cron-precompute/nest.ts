// #region program
import 'reflect-metadata';
import { Precompute } from '@ashlar/cron-precompute';
import { memoryStore } from '@ashlar/store';
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  NotFoundException,
  type OnApplicationShutdown,
  type OnModuleInit,
  Param,
  ServiceUnavailableException,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';

const store = memoryStore(); // later: redisStore({ redis }), which all processes share

@Injectable()
class BestSellers extends Precompute<string, string[]> implements OnModuleInit, OnApplicationShutdown {
  constructor() {
    super({
      name: 'best-sellers',
      schedule: '0 3 * * *',
      timeZone: 'Europe/Berlin',
      store,
      source: async function* () {
        yield ['lamps', ['desk lamp', 'wall lamp']]; // a query of yours
      },
    });
  }

  /** Nest listens when this has ended: what was published last is loaded. */
  onModuleInit() {
    return this.start();
  }

  /** After the requests in flight; a run here goes on elsewhere. */
  async onApplicationShutdown() {
    await this.close();
    await store.close();
  }
}

@Controller()
class Shop {
  readonly #best: BestSellers;

  constructor(@Inject(BestSellers) best: BestSellers) {
    this.#best = best;
  }

  @Get('best/:category')
  read(@Param('category') category: string) {
    const { value, status } = this.#best.get(category);
    if (value === undefined) throw new NotFoundException();
    return { status, value };
  }

  @Get('ready')
  ready() {
    const { version, isFresh } = this.#best.snapshot();
    if (version === 0) throw new ServiceUnavailableException();
    return { version, isFresh };
  }
}

@Module({ controllers: [Shop], providers: [BestSellers] })
class ShopModule {}

const app = await NestFactory.create(ShopModule, { logger: false });
app.use((_request: Request, response: Response, next: NextFunction) => {
  // A client that keeps its connection would hold up the shutdown
  if (!app.getHttpServer().listening) response.set('connection', 'close');
  next();
});
app.enableShutdownHooks(); // SIGTERM
await app.listen(0); // your port
// #endregion program

const origin = (await app.getUrl()).replace('[::1]', 'localhost');
console.log((await fetch(`${origin}/ready`)).status); // 503
await app.get(BestSellers).refresh(); // what the first night does
console.log(await (await fetch(`${origin}/ready`)).text()); // {"version":1,"isFresh":true}
console.log(await (await fetch(`${origin}/best/lamps`)).text()); // {"status":"fresh","value":["desk lamp","wall lamp"]}
await app.close();
console.log(app.get(BestSellers).snapshot().job.state); // closed
