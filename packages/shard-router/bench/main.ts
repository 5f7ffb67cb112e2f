import { main } from '@workspace/bench';
import { merging } from './merging.ts';
import { routing } from './routing.ts';
import { topRows } from './top-rows.ts';

await main([...routing, ...merging, ...topRows]);
