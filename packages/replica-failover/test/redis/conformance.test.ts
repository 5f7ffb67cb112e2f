import type { Redis } from 'ioredis';
import { afterAll, describe, it } from 'vitest';
import { replicaSetConformance } from '../../src/conformance.ts';
import { endShared, redisSubject } from './subject.ts';

afterAll(endShared);

replicaSetConformance<Redis>({ describe, it }, redisSubject, {
  name: 'Redis',
  skip: [
    {
      test: 'strong reads see every acknowledged write',
      reason: 'Redis cannot prove that it is still the primary: strong reads are refused',
    },
    {
      test: 'a commit that the next primary has is told as executed',
      reason: 'Redis keeps nothing that tells what became of an EXEC whose answer is lost: it is Unknown',
    },
    {
      test: 'writes that nobody must acknowledge any more go on, and that is recorded',
      reason: 'each set waits for the replicas that its own `acknowledge` says, whatever the record says',
    },
  ],
});
