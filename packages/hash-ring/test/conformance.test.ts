import { describe, it } from 'vitest';
import { conformance } from '../src/conformance.ts';
import { placements } from './placements.ts';

for (const { name, make, features } of placements) conformance({ describe, it }, make, { name, features });
