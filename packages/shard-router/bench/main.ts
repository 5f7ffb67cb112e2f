import { main } from '@workspace/bench';
import { asking } from './asking.ts';
import { collations } from './collations.ts';
import { merging } from './merging.ts';
import { routing } from './routing.ts';
import { topRows } from './top-rows.ts';

await main([...routing, ...asking, ...merging, ...topRows, ...collations]);
