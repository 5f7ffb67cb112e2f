import { freePorts, type PortServer, startHaproxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type HaproxyNode, type HaproxyOptions, haproxyHash } from '../../../src/compat/index.ts';
import { sampleKeys } from '../support/keys.ts';
import { misplaced } from '../support/misplaced.ts';
import { askOverHttp, pipelined } from '../support/pipeline.ts';

const keys = sampleKeys(2_000, 2, 900);

interface Backend {
  readonly servers: readonly HaproxyNode[];
  readonly options?: HaproxyOptions;
}

const equal = [1, 2, 3, 4, 5].map(i => ({ id: `s${i}` }));
const weighted = equal.map((node, i) => ({ ...node, weight: [1, 3, 2, 1, 7][i]! }));
const numbered = (serverIds: readonly (number | undefined)[]) =>
  serverIds.map((serverId, i) => ({ id: `s${i + 1}`, ...(serverId === undefined ? {} : { serverId }) }));

const backends: Record<string, Backend> = {
  equal: { servers: equal },
  weighted: { servers: weighted },
  numbered: { servers: numbered([100, 7, undefined, 1, undefined]) },
  numbered_around: { servers: numbered([undefined, 3, undefined, 1, undefined, 2, undefined]) },
  great_numbers: {
    // The second and the third have the same points
    servers: equal.map((node, i) => ({
      ...node,
      serverId: [2 ** 31 - 1, 2 ** 20 + 3, 3, 2 ** 20, 9][i]!,
    })),
  },
  disabled: { servers: weighted.map((node, i) => ({ ...node, down: i === 4 })) },
  first_disabled: { servers: equal.map((node, i) => ({ ...node, down: i === 0 })) },
  weight_0: { servers: equal.map((node, i) => ({ ...node, weight: i === 2 ? 0 : 1 })) },
  weight_256: { servers: equal.map((node, i) => ({ ...node, weight: [256, 100, 256, 1, 17][i]! })) },
  many: { servers: Array.from({ length: 100 }, (_, i) => ({ id: `m${i}`, weight: 1 + (i % 30) })) },
  single: { servers: [{ id: 's1' }] },
};
for (const hash of ['sdbm', 'djb2', 'wt6', 'crc32'] as const) {
  backends[hash] = { servers: weighted, options: { hash } };
  backends[`${hash}_avalanche`] = { servers: weighted, options: { hash, avalanche: true } };
}

describeWith('haproxy', 'haproxyHash and HAProxy', () => {
  let haproxy: PortServer;

  beforeAll(async () => {
    const [deaf] = await freePorts(1);
    haproxy = await startHaproxy({
      ports: 2,
      config: ({ ports: [port, target] }) => configOf(port!, target!, deaf!),
    });
  });
  afterAll(() => haproxy?.stop());

  for (const [name, { servers, options }] of Object.entries(backends)) {
    it(`place alike: ${name}`, async () => {
      const placement = haproxyHash(servers, options);
      const owners = await askOverHttp(haproxy.port, `/${name}`, keys, 'x-server');
      expect(misplaced(placement, keys, owners)).toEqual([]);
      expect(new Set(owners).size).toBeGreaterThan(placement.size / 2);
    });
  }

  it('place alike: the path of balance uri, up to its query', async () => {
    const placement = haproxyHash(weighted);
    const paths = Array.from({ length: 2_000 }, (_, i) => `/uri/${i * 7919}/caf%C3%A9`);
    const requests = paths.map((path, i) => Buffer.from(`GET ${path}?page=${i} HTTP/1.1\r\nhost: a\r\n\r\n`));
    const owners = await pipelined(haproxy.port, requests, /x-server: (\w+)\r\n/);
    expect(misplaced(placement, paths, owners)).toEqual([]);
  });

  it('redispatch to the second in order', async () => {
    const placement = haproxyHash(weighted);
    const seconds = await askOverHttp(haproxy.port, '/refused', keys, 'x-server');
    expect(seconds).toEqual(keys.map(key => placement.getN(key, 2)[1]));
  });
});

/** @param deaf a port without a listener */
function configOf(port: number, target: number, deaf: number): string {
  const blocks = Object.entries(backends).map(([name, { servers, options }]) =>
    backendOf(name, 'hdr(x-key)', servers, options, target),
  );
  return `
    global
      nbthread 1
    defaults
      mode http
      timeout client 30s
      timeout server 30s
      timeout connect 5s
    frontend asked
      bind 127.0.0.1:${port}
      use_backend uri if { path_beg /uri/ }
      use_backend %[path,field(2,/)]
    frontend target
      bind 127.0.0.1:${target}
      http-request return status 200
    ${backendOf('uri', 'uri', weighted, {}, target)}
    ${backendOf('refused', 'hdr(x-key)', weighted, {}, deaf)}
      retries 1
      option redispatch 1
      http-after-response set-header x-server %s
    ${blocks.join('\n')}
  `;
}

function backendOf(
  name: string,
  balance: string,
  servers: readonly HaproxyNode[],
  { hash, avalanche }: HaproxyOptions = {},
  target: number,
): string {
  const lines = servers.map(({ id, weight = 1, down, serverId }) =>
    [
      `server ${id} 127.0.0.1:${target} weight ${weight}`,
      serverId === undefined ? '' : `id ${serverId}`,
      down ? 'disabled' : '',
    ].join(' '),
  );
  return `
    backend ${name}
      balance ${balance}
      hash-type consistent ${hash ?? ''} ${avalanche ? 'avalanche' : ''}
      http-response set-header x-server %s
      ${lines.join('\n      ')}`;
}
