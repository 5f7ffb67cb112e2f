import { main } from '@workspace/bench';
import { experiments } from './experiment/benches.ts';

await main([...experiments]);
