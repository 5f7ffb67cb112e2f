import { describe, it } from 'vitest';
import { conformance } from '../src/conformance.ts';
import { policies } from './policies.ts';

for (const [name, eviction] of Object.entries(policies)) conformance({ describe, it }, eviction, { name });
