import { main } from '@workspace/bench';
import { experiments } from './experiment/benches.ts';
import { picks } from './picks.ts';
import { runs } from './runs.ts';

await main([...picks, ...runs, ...experiments]);
