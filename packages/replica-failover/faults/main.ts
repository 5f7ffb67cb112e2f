import { main } from '@workspace/faults';
import { report } from './fault.ts';
import { failovers } from './postgres/failovers.ts';
import { promoted } from './postgres/promoted.ts';
import { redisFailovers } from './redis/failovers.ts';

await main({
  package: '@ashlar/replica-failover',
  faults: [...failovers, ...promoted, ...redisFailovers],
  report,
  notes: `lost: writes that were acknowledged and are not on the primary in the end; duplicated: those that are there twice.
needless: promotions where the primary lives.
unexpected: a read of a session, or a strong one, that did not see its write; a write told NotExecuted that is there.
no writes (outageMs): from the fault to the first write begun after it and acknowledged, by the slower of two processes; of a
switchover the slowest write.`,
});
