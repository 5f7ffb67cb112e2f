import { main } from '@workspace/bench';
import { experiments } from './experiment/benches.ts';
import { picks } from './picks.ts';

await main([...picks, ...experiments]);
