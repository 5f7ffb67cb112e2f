import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { freePorts, type PortServer, startNutcracker } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type TwemproxyHash,
  type TwemproxyNode,
  type TwemproxyOptions,
  twemproxyHash,
} from '../../../src/compat/index.ts';
import { sampleKeys } from '../support/keys.ts';
import { misplaced } from '../support/misplaced.ts';
import { pipelined } from '../support/pipeline.ts';

const keys = sampleKeys(2_000, 4);

interface Pool {
  readonly servers: readonly TwemproxyNode[];
  readonly options?: TwemproxyOptions;
}

const weights = [1, 3, 2, 1, 7];

/** @param ports of five servers; @param path of one more */
function pools(ports: readonly number[], path: string): Record<string, Pool> {
  const equal = ports.map(port => ({ id: `127.0.0.1:${port}` }));
  const weighted = equal.map((node, i) => ({ ...node, weight: weights[i]! }));
  const named = weighted.map((node, i) => ({ ...node, name: `node-${i}:11211` }));
  const hashes: TwemproxyHash[] = [
    'one_at_a_time',
    'md5',
    'crc16',
    'crc32',
    'crc32a',
    'fnv1_64',
    'fnv1a_64',
    'fnv1_32',
    'fnv1a_32',
    'hsieh',
    'murmur',
    'jenkins',
  ];
  return {
    equal: { servers: equal },
    named: { servers: named },
    tagged: { servers: named, options: { hash: 'murmur', hashTag: '{}' } },
    tagged_alike: { servers: named, options: { hashTag: '11' } },
    mixed: { servers: [{ id: path, weight: 2 }, equal[0]!, { ...equal[1]!, name: 'second' }] },
    modula: { servers: weighted, options: { distribution: 'modula' } },
    modula_unordered: {
      servers: weighted.map((node, i) => ({ ...node, name: ['b', 'aa', 'é', 'z', 'ab'][i]! })),
      options: { distribution: 'modula' },
    },
    modula_named: { servers: named, options: { distribution: 'modula', hash: 'crc32', hashTag: '{}' } },
    single: { servers: [equal[0]!] },
    ...Object.fromEntries(hashes.map(hash => [hash, { servers: weighted, options: { hash } }])),
  };
}

describeWith('nutcracker', 'twemproxyHash and twemproxy', () => {
  const backends: Server[] = [];
  const names = Object.keys(pools([], ''));
  let all: Record<string, Pool>;
  let ejecting: readonly TwemproxyNode[];
  let nutcracker: PortServer;

  beforeAll(async () => {
    const listen = async (id: string, address: { port: number; host: string } | { path: string }) => {
      const backend = memcachedThatSays(id).listen(address);
      backends.push(backend);
      await once(backend, 'listening');
    };
    const [deaf, ...ports] = await freePorts(6);
    for (const port of ports) await listen(`127.0.0.1:${port}`, { port, host: '127.0.0.1' });
    ejecting = [deaf!, ...ports].map((port, i) => ({
      id: `127.0.0.1:${port}`,
      weight: i + 1,
      down: i === 0,
    }));
    let path = '';
    nutcracker = await startNutcracker({
      ports: names.length + 1,
      config: place => {
        path = join(place.directory, 'memcached.sock');
        all = pools(ports, path);
        return [
          ...names.map((name, i) => poolOf(name, place.ports[i]!, all[name]!)),
          ejectingPool(place.ports[names.length]!, ejecting),
        ].join('\n');
      },
    });
    await listen(path, { path });
  });
  afterAll(async () => {
    await nutcracker?.stop();
    for (const backend of backends) backend.close();
  });

  const ownersOf = (port: number) => {
    const requests = keys.map(key => Buffer.from(`get ${key}\r\n`));
    return pipelined(port, requests, /VALUE [^ ]+ 0 \d+\r\n([^\r]*)\r\nEND\r\n/);
  };

  names.forEach((name, i) => {
    it(`place alike: ${name}`, async () => {
      const { servers, options } = all[name]!;
      const placement = twemproxyHash(servers, options);
      expect(misplaced(placement, keys, await ownersOf(nutcracker.ports[i]!))).toEqual([]);
    });
  });

  it('place alike once a server that refuses is ejected', async () => {
    const port = nutcracker.ports[names.length]!;
    const placement = twemproxyHash(ejecting);
    const whole = twemproxyHash(ejecting.map(({ id, weight = 1 }) => ({ id, weight })));
    const failing = keys.find(key => whole.get(key) === ejecting[0]!.id)!;
    const [error] = await pipelined(port, [Buffer.from(`get ${failing}\r\n`)], /^(SERVER_ERROR [^\r]*)\r\n/);
    expect(error).toContain('refused');
    expect(misplaced(placement, keys, await ownersOf(port))).toEqual([]);
  });
});

/** Answers every `get` with the server's own id. */
function memcachedThatSays(id: string): Server {
  return createServer(socket => {
    let rest = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      const lines = `${rest}${chunk}`.split('\r\n');
      rest = lines.pop()!;
      const replies = lines.map(
        line => `VALUE ${line.trim().split(' ')[1]} 0 ${id.length}\r\n${id}\r\nEND\r\n`,
      );
      socket.write(replies.join(''), 'latin1');
    });
    socket.on('error', () => socket.destroy());
  });
}

function poolOf(name: string, port: number, { servers, options = {} }: Pool): string {
  const { hash, distribution = 'ketama', hashTag } = options;
  return [
    `${name}:`,
    `  listen: 127.0.0.1:${port}`,
    `  distribution: ${distribution}`,
    '  auto_eject_hosts: false',
    ...(hash === undefined ? [] : [`  hash: ${hash}`]),
    ...(hashTag === undefined ? [] : [`  hash_tag: "${hashTag}"`]),
    '  servers:',
    ...servers.map(
      ({ id, weight = 1, name: called }) =>
        `    - ${id}:${weight}${called === undefined ? '' : ` ${called}`}`,
    ),
  ].join('\n');
}

function ejectingPool(port: number, servers: readonly TwemproxyNode[]): string {
  const pool = poolOf('ejecting', port, { servers });
  return pool.replace(
    'auto_eject_hosts: false',
    'auto_eject_hosts: true\n  server_failure_limit: 1\n  server_retry_timeout: 3600000',
  );
}
