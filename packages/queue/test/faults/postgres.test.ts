import { describeWith } from '@workspace/services/vitest';
import { outboxFaults } from '../../faults/outbox/outbox.ts';
import { testFault, testFaultsOf } from './kinds.ts';

testFaultsOf(['postgres'], 3);

describeWith('redis', 'faults of an outbox', () => {
  describeWith({ own: 'postgres' }, 'between PostgreSQL and Redis', () => {
    for (const fault of outboxFaults) testFault(fault);
  });
});
