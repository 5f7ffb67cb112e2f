import { main } from '@workspace/bench';
import { costs } from './costs.ts';
import { trips } from './trips.ts';

await main([...costs, ...trips]);
