import { PrismaPg } from '@prisma/adapter-pg';
import { generatePrisma } from '@workspace/services/prisma';

/** What the generated client has, as far as it is used here. */
export interface Prisma {
  $transaction<T>(work: (tx: PrismaTx) => Promise<T>, options?: { timeout?: number }): Promise<T>;
  $queryRawUnsafe(text: string, ...values: unknown[]): Promise<unknown>;
  $connect(): Promise<void>;
  $disconnect(): Promise<void>;
}
export type PrismaTx = Omit<Prisma, '$connect' | '$disconnect' | '$transaction'>;

const models = `
model unused {
  id Int @id
}
`;

export async function openPrisma(url: string): Promise<Prisma> {
  const PrismaClient = await generatePrisma<Prisma>(models);
  return new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) });
}
