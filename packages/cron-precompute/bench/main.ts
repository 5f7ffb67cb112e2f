import { main } from '@workspace/bench';
import { publishBenches } from './publish.ts';
import { readBenches } from './reads.ts';

await main([...readBenches, ...publishBenches]);
