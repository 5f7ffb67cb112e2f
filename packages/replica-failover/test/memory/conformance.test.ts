import { describe, it } from 'vitest';
import { replicaSetConformance } from '../../src/conformance.ts';
import type { MemoryClient } from '../../src/index.ts';
import { memorySubject } from './subject.ts';

replicaSetConformance<MemoryClient>({ describe, it }, () => memorySubject(), { name: 'memory' });
