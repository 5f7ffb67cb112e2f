import type { Store } from '@ashlar/store';
import { endWithParent } from '@workspace/program';
import { connect } from '../../test/fixtures/backends.ts';
import { type CrashSettings, dataOf } from './data.ts';

/** Builds and publishes once, and dies at one of its calls of the store: before it is sent, or when its answer is there. */
endWithParent();
const { backend, step, isAfter } = JSON.parse(process.argv[2]!) as CrashSettings;
const { store } = connect(backend);
const counted = ['set', 'delete', 'claim', 'release'];
let calls = 0;

const mortal = new Proxy(store as Store, {
  get(target, property) {
    const value = Reflect.get(target, property, target) as unknown;
    if (typeof value !== 'function') return value;
    const call = value.bind(target) as (...args: unknown[]) => Promise<unknown>;
    if (!counted.includes(String(property))) return call;
    return async (...args: unknown[]) => {
      const isLast = calls++ === step;
      if (isLast && !isAfter) die();
      const answer = await call(...args);
      if (isLast) die();
      return answer;
    };
  },
});

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

const best = dataOf(mortal);
await best.start();
await best.refresh();
process.send!('published');
