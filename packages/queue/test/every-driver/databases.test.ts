import { testKinds } from './kinds.ts';

testKinds(['redisStreams', 'postgres']);
