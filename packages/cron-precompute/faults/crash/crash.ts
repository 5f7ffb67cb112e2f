import { Peer } from '@workspace/faults';
import { Vault } from '../../src/publish/vault.ts';
import { Ledger } from '../../src/runs/ledger.ts';
import { type Fault, type Finding, Tally } from '../fault.ts';
import { keys } from '../fleet/data.ts';
import { type Kind, Site } from '../site.ts';
import { type CrashSettings, dataOf } from './data.ts';

/** A run makes fewer calls; past the last of them, nobody dies. */
const steps = 26;

/** A process dies at each of its calls of the store in turn, before it is sent and when its answer is there; another goes on. */
export function crashOf(kind: Kind): Fault {
  return {
    name: `${kind}-crash`,
    about:
      'a process dies at each step of a run in turn: the next finishes it or starts clean, nothing is left behind, readers see whole versions',
    usualRuns: 2 * steps,
    async begin() {
      const site = await Site.start(kind);
      return {
        run: ({ index }) => runOf(site, Math.floor(index / 2), index % 2 === 1),
        [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
      };
    },
  };
}

async function runOf(site: Site, step: number, isAfter: boolean): Promise<Finding> {
  await using place = await site.place();
  const { backend, store } = place;
  const tally = new Tally();
  await using best = dataOf(store);
  // Two are kept, so that the run that dies has one to delete
  for (let version = 1; version <= 2; version++) {
    const { status } = await best.refresh();
    tally.expect(status === 'succeeded', `run ${version} has ${status}`);
  }

  const settings: CrashSettings = { backend, step, isAfter };
  const peer = new Peer<string>(new URL('./process.ts', import.meta.url), settings);
  await peer.next().catch(() => {}); // It has published, or died
  await peer.end();

  await best.start();
  const ledger = new Ledger(store, 'best');
  const last = await best.refresh();
  const remark = (what: string) => `${what}, after a death ${isAfter ? 'after' : 'before'} call ${step}`;
  tally.expect(last.status === 'succeeded', remark(`the run after it has ${last.status}`));
  const history = await ledger.history();
  tally.operations = history.length;
  // A run that was taken over has come before the one that was asked for after it
  tally.lost = history.filter(({ status }) => status !== 'succeeded').length;
  const versions = await best.versions();
  tally.duplicated = versions.length - new Set(versions.map(({ scheduledAt }) => scheduledAt)).size;
  tally.read(keys.map(key => best.get(key).value));
  const pointer = await new Vault(store, 'best').pointer();
  const known = [...pointer.versions, ...pointer.retired, ...pointer.builds].map(({ version }) => version);
  for await (const { key } of store.list('precompute/best/versions/')) {
    const version = Number(key.split('/')[3]);
    if (!known.includes(version)) tally.remarks.push(remark(`${key} is left behind`));
  }
  tally.expect(pointer.builds.length === 0, remark(`${pointer.builds.length} builds are left`));
  return tally.finding();
}
