import { testKinds } from './kinds.ts';

testKinds(['nats', 'rabbitmq']);
