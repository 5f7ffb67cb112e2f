import { testKinds } from './kinds.ts';

testKinds(['bullmq', 'zeromq']);
