import { type Postgres, type SteppedClock, startPostgres, steppedClock } from '@workspace/services';
import { afterAll, beforeAll } from 'vitest';

/** A PostgreSQL for the tests of a file, whose clock they set. It needs `cc`. */
export class SteppedPostgres {
  clock!: SteppedClock;
  server!: Postgres;

  constructor() {
    beforeAll(async () => {
      this.clock = await steppedClock();
      this.server = await startPostgres({ env: this.clock.env });
    });
    afterAll(() => this.server?.stop());
  }
}
