import { main } from '@workspace/faults';
import { report } from './fault.ts';
import { faultsWith } from './faults.ts';
import { detectionMs } from './outages/outages.ts';

await main({
  package: '@ashlar/store',
  faults: faultsWith(),
  report,
  notes: `noticed: from the fault to the first call or watch that told of it.
resumed (outageMs): from the moment the server was there again to the first operation that it acknowledged.
LATE: a server's death was noticed after more than ${detectionMs} ms.`,
});
