import { main } from '@workspace/faults';
import { report } from './fault.ts';
import { faults } from './faults.ts';

await main({
  package: '@ashlar/cron-precompute',
  faults,
  report,
  notes: `lost: ticks that neither ran to their end nor were left out by their rule. duplicated: ticks that published twice.
torn: reads of all keys that saw two versions; missing: that found a hole.
p99: of the foreground, the median of its blocks; beside a job in percent of that without one. LATE on a busy machine, which says nothing.`,
});
