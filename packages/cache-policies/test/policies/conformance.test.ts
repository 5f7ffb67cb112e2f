import { describe, it } from 'vitest';
import { evictionConformance } from '../../src/conformance.ts';
import { policies } from '../support/policies.ts';

for (const [name, eviction] of Object.entries(policies))
  evictionConformance({ describe, it }, eviction, { name });
