import { describe, it } from 'vitest';
import { placementConformance } from '../src/conformance.ts';
import { placements } from './placements.ts';

for (const { name, make, features } of placements)
  placementConformance({ describe, it }, make, { name, features });
