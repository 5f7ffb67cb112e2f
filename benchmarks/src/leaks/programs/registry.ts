import { LoadBalancer } from '@ashlar/lb';
import { discover, type RegistryStore, register } from '@ashlar/lb/registry';
import { memoryStore } from '@ashlar/store';
import { makeMixed, type Share } from '../mix.ts';
import { obey } from '../sample.ts';

type Ask = (id: string) => Promise<unknown>;

const store = memoryStore();
const service = 'shop';
const endpointOf = (id: string) => ({ id, url: `http://${id}` });
const keeper = await register(store, endpointOf('keeper'), { service });
const lb = new LoadBalancer({ endpoints: discover(store, service) });

const fails = () => Promise.reject(new Error('the store is gone'));
const gone: RegistryStore = { ...asPlain(store), set: fails, get: fails };
const hanging: RegistryStore = { ...asPlain(store), set: () => new Promise(() => {}) };

function asPlain(whole: RegistryStore): RegistryStore {
  return {
    get: key => whole.get(key),
    set: (key, value, options) => whole.set(key, value, options),
    delete: (key, options) => whole.delete(key, options),
    list: prefix => whole.list(prefix),
    watch: (prefix, options) => whole.watch(prefix, options),
  };
}

/** Registers with a store that does not answer, and gives up. */
const inVain = (id: string, bad: RegistryStore) =>
  register(bad, endpointOf(id), { service, signal: AbortSignal.timeout(20) });

async function comesAndGoes(id: string): Promise<void> {
  const registration = await register(store, endpointOf(id), { service });
  await registration.update(endpointOf(id));
  const picked = await lb.acquire();
  picked.done({ ok: true });
  await registration.close();
}

async function discovers(): Promise<void> {
  await using other = new LoadBalancer({ endpoints: discover(store, service) });
  (await other.acquire()).done();
}

const mix: readonly Share<Ask>[] = [
  [90, 'comes and goes', comesAndGoes],
  [4, 'a registry that is left', discovers],
  [3, 'a store that fails', id => inVain(id, gone)],
  [3, 'a store that hangs', id => inVain(id, hanging)],
];

let number = 0;
obey(lb, order => makeMixed(mix, order, ask => ask(`e${number++}`).catch(() => {})));
process.send!(keeper.snapshot().state === 'registered' ? 0 : -1);
