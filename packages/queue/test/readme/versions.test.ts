import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, it } from 'vitest';

interface Manifest {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

const require = createRequire(import.meta.url);
const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const { devDependencies, peerDependencies } = JSON.parse(read('package.json')) as Manifest;

/** A row of the table of drivers. */
function row(name: string): string {
  const [, cells] = new RegExp(`^\\| ${name} \\|(.*)\\|$`, 'm').exec(read('README.md')) ?? [];
  if (cells === undefined) throw new Error(`the README has no row \`${name}\``);
  return cells;
}

/** What is installed of a library, also under other names: `bullmq-5` is `npm:bullmq@5.81.5`. */
function installed(library: string): string[] {
  return Object.entries(devDependencies)
    .filter(([name, wanted]) => name === library || wanted.startsWith(`npm:${library}@`))
    .map(([name]) => versionOf(name));
}

function versionOf(name: string): string {
  const folders = require.resolve.paths(name) ?? [];
  for (const folder of folders) {
    try {
      return (JSON.parse(readFileSync(`${folder}/${name}/package.json`, 'utf8')) as Manifest).version;
    } catch {
      // In one further up
    }
  }
  throw new Error(`${name} is not installed`);
}

/** What the row `tried on` calls each client. */
const tried: Readonly<Record<string, string>> = {
  ioredis: 'ioredis',
  redis: 'node-redis',
  bullmq: 'BullMQ',
  zeromq: 'zeromq.js',
  '@nats-io/transport-node': 'transport-node',
  pg: 'pg',
  amqplib: 'amqplib',
};

const series = (version: string) => version.split('.').slice(0, 2).join('.');

it.each(Object.entries(tried))('the README says on which versions of %s the tests run', (library, name) => {
  const [, list = ''] = new RegExp(`[ ;]${name} ((?:\\d+\\.\\d+(?:, | and )?)+)`).exec(row('tried on')) ?? [];
  const said = list.match(/\d+\.\d+/g) ?? [];
  expect(said.toSorted()).toEqual(installed(library).map(series).toSorted());
});

it('the README names every client that is a peer, and its first versions as the package does', () => {
  const clients = row('client');
  for (const [library, range] of Object.entries(peerDependencies)) {
    const [, sentence = ''] = new RegExp(`\`${library}\` ([^|:;]*)`).exec(clients) ?? [];
    const said = (sentence.match(/\d+(?:\.\d+)*/g) ?? []).map(version => version.replace(/\.0$/, ''));
    const first = (range.match(/\d+(?:\.\d+)*/g) ?? []).map(version => version.replace(/\.0$/, ''));
    expect({ library, said }).toEqual({ library, said: first });
    expect(tried).toHaveProperty([library]);
  }
});

it('the suite of drivers runs on the first version of BullMQ of each range', () => {
  const suite = read('test/bullmq/conformance.test.ts');
  const firsts = peerDependencies['bullmq']!.match(/\d+(?:\.\d+)*/g)!;
  const names = Object.keys(devDependencies).filter(name => suite.includes(` from '${name}';`));
  expect(names.map(versionOf)).toEqual(expect.arrayContaining(firsts));
});
