import { testFaultsOf } from './kinds.ts';

testFaultsOf(['bullmq', 'zeromq'], 3);
