// #region program
import 'reflect-metadata';
import {
  currentSession,
  type MemoryClient,
  memoryCluster,
  PositionLostError,
  ReplicaSet,
} from '@ashlar/replica-failover';
import { SessionCookie } from '@ashlar/replica-failover/cookie';
import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Inject,
  Injectable,
  Module,
  type OnApplicationShutdown,
  Put,
} from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';

const { SESSION_SECRET = 'while you develop' } = process.env; // the same in all processes
const cookie = new SessionCookie({ secrets: [SESSION_SECRET] });

@Injectable()
class Database implements OnApplicationShutdown {
  static async connect() {
    const cluster = memoryCluster({ lagMs: 60_000, synchronous: 0 }); // later: postgresServers({ servers, newClient })
    return new Database(await ReplicaSet.connect({ name: 'shop', servers: cluster.servers() }));
  }

  readonly set: ReplicaSet<MemoryClient>;

  private constructor(set: ReplicaSet<MemoryClient>) {
    this.set = set;
  }

  /** Nest calls it after the requests in flight. */
  onApplicationShutdown() {
    return this.set.close();
  }
}

@Controller('cart')
class Cart {
  readonly #set: ReplicaSet<MemoryClient>;

  constructor(@Inject(Database) { set }: Database) {
    this.#set = set;
  }

  @Put()
  async put(@Body() { product }: { product: string }) {
    await this.#set.write(db => db.set('cart', product));
    return this.get(); // what was just written
  }

  @Get()
  async get() {
    return { cart: await this.#set.read(db => db.get('cart')) };
  }
}

/** Filters for the other errors look the same. */
@Catch(PositionLostError)
class Lost implements ExceptionFilter {
  catch(error: PositionLostError, host: ArgumentsHost) {
    currentSession()?.reset(error.set); // the next request begins anew
    const response = host.switchToHttp().getResponse<Response>();
    response.status(409).json({ error: 'What you saved last is lost.' });
  }
}

@Module({
  controllers: [Cart],
  providers: [
    { provide: Database, useFactory: () => Database.connect() },
    { provide: APP_FILTER, useClass: Lost },
  ],
})
class Shop {}

const app = await NestFactory.create(Shop, { logger: false });
app.use(cookie.handle);
app.use((_request: Request, response: Response, next: NextFunction) => {
  // A client that keeps its connection would hold up the shutdown
  if (!app.getHttpServer().listening) response.set('connection', 'close');
  next();
});
app.enableShutdownHooks(); // SIGTERM
await app.listen(0); // your port
// #endregion program

const cart = `${(await app.getUrl()).replace('[::1]', 'localhost')}/cart`;
const headers = { 'content-type': 'application/json' };
const saved = await fetch(cart, { method: 'PUT', headers, body: '{"product":"lamp"}' });
console.log(await saved.text()); // {"cart":"lamp"}
const mine = saved.headers.getSetCookie()[0]!.split(';')[0]!;
console.log(await (await fetch(cart, { headers: { cookie: mine } })).text()); // {"cart":"lamp"}
// Somebody else reads on a replica, which lags
console.log(await (await fetch(cart)).text()); // {}
await app.close();
