import type { Connection, MemoryClient, Pool, Server, Sighting } from '../../src/index.ts';

export type Change = (server: Server<MemoryClient>) => Server<MemoryClient>;

/** The server with other connections. */
export const connections =
  (change: (connection: Connection<MemoryClient>) => Partial<Connection<MemoryClient>>): Change =>
  server =>
    pools(pool => ({
      acquireIdle: () => undefined,
      async acquire(signal) {
        const connection = await pool.acquire(signal);
        return over(connection, change(connection));
      },
    }))(server);

export const pools =
  (change: (pool: Pool<MemoryClient>) => Partial<Pool<MemoryClient>>): Change =>
  server =>
    over(server, {
      open(options) {
        const pool = server.open(options);
        return over(pool, change(pool));
      },
    });

export const sightings =
  (change: (sighting: Sighting) => Partial<Sighting>): Change =>
  server =>
    over(server, {
      async look(signal) {
        const sighting = await server.look(signal);
        return { ...sighting, ...change(sighting) };
      },
    });

/** An object that does some things otherwise. */
export function over<T extends object>(original: T, changes: Partial<T>): T {
  return new Proxy(original, {
    get(target, name) {
      const source = Object.hasOwn(changes, name) ? changes : target;
      const value = Reflect.get(source, name, source);
      return typeof value === 'function' ? value.bind(source) : value;
    },
  });
}
