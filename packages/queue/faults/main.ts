import { main } from '@workspace/faults';
import { backlogFaults } from './backlog.ts';
import { report } from './fault.ts';
import { faults, longFaults, noticedWithinMs, resumedWithinMs } from './faults.ts';
import { outboxFaults } from './outbox/outbox.ts';
import { snapshotFaults } from './snapshot.ts';

await main({
  package: '@ashlar/queue',
  faults: [...faults, ...outboxFaults, ...longFaults, ...snapshotFaults, ...backlogFaults],
  report,
  notes: `lost: confirmed and never handled. duplicated: handled more than once, which at-least-once delivery allows.
recovered: handled, though their publisher was not told that they are published.
noticed: from the death of a consumer to the first of its messages in other hands; LATE after ${noticedWithinMs} ms.
resumed (outageMs): from the server's return to the first handled message; LATE after ${resumedWithinMs} ms.`,
});
