import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { MakeSubject } from '../../src/conformance.ts';
import type { Driver } from '../../src/index.ts';

/** Drivers of one prefix, as each test of the conformance suite has its own. @param admins clients past what is tested, of all servers */
export function redisSubject(open: (prefix: string) => Driver, admins: () => readonly Redis[]): MakeSubject {
  return async () => {
    const prefix = randomUUID();
    const drivers: Driver[] = [];
    const another = () => {
      const driver = open(prefix);
      drivers.push(driver);
      return driver;
    };
    return {
      driver: another(),
      other: async () => another(),
      async break() {
        await Promise.all(admins().map(admin => admin.call('CLIENT', ['KILL', 'TYPE', 'normal'])));
      },
      async [Symbol.asyncDispose]() {
        await Promise.all(drivers.map(driver => driver[Symbol.asyncDispose]()));
      },
    };
  };
}
