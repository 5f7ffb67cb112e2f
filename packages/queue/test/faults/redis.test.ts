import { testFaultsOf } from './kinds.ts';

testFaultsOf(['redisStreams'], 6);
