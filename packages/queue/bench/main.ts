import { main } from '@workspace/bench';
import { engine } from './engine.ts';
import { memory } from './memory.ts';
import { redis } from './redis.ts';

await main([...memory, ...engine, ...redis]);
