import { main } from '@workspace/faults';
import { report } from './fault.ts';
import { boundMs, faults } from './faults.ts';

await main({
  package: '@ashlar/cache-policies',
  faults,
  report,
  notes: `Three processes with a cache each over one Redis tier, whose bound is ${boundMs} ms, and which tells of changes as the name of
the fault says: one process writes aside, one through, one its source itself and then deletes. All times are of one monotonic clock.

stale: reads that began more than ${boundMs} ms after a newer write had resolved in any process, and answered with the older value.
restored: times that the shared tier itself had a value older than a write that had resolved.
unexpected: reads that were rejected, writes that were where none should be, values that were never written, processes that
  do not serve from memory again, or do not all come to read what was written last.
staleness: the oldest that a read of the run was, from the resolving of the newer write to the beginning of the read.
hits meanwhile: of a hundred reads while the fault lasted, those that were answered from the memory of their process.
recovered: from its end until every process had answered from memory again.`,
});
