import { PrismaPg } from '@prisma/adapter-pg';
import { generatePrisma } from '@workspace/services/prisma';
import pg from 'pg';

/** What the generated client has, as far as it is used here. */
interface Prisma {
  readonly item: {
    findUnique(options: { where: { key: string } }): Promise<{ value: string | null } | null>;
    upsert(options: { where: object; create: object; update: object }): Promise<unknown>;
  };
  $transaction<T>(work: (tx: Omit<Prisma, '$transaction' | '$disconnect'>) => Promise<T>): Promise<T>;
  $disconnect(): Promise<void>;
}

const models = `
model item {
  key   String  @id
  value String?
}
`;

/** A pool of the one client that work has got: Prisma takes nothing else. */
class PoolOfOne extends pg.Pool {
  constructor(client: pg.Client) {
    super();
    Object.assign(client, { release() {} });
    Object.assign(this, { connect: async () => client, query: client.query.bind(client) });
  }
}

/**
 * Each connection has a client of Prisma, which is made once: so a query is never batched with those of other connections.
 */
export async function openPrisma(): Promise<{ over(client: pg.Client): Prisma; close(): Promise<void> }> {
  const PrismaClient = await generatePrisma<Prisma>(models);
  const made = new Map<pg.Client, Prisma>();
  return {
    over(client) {
      let prisma = made.get(client);
      if (prisma === undefined) {
        prisma = new PrismaClient({ adapter: new PrismaPg(new PoolOfOne(client) as never) });
        made.set(client, prisma);
      }
      return prisma;
    },
    async close() {
      for (const prisma of made.values()) await prisma.$disconnect();
    },
  };
}
