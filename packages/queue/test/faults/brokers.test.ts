import { testFaultsOf } from './kinds.ts';

testFaultsOf(['nats', 'rabbitmq'], 3);
