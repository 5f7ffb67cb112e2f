import { accepts, freePorts, type PortServer, startNginx } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nginxHash, type SystemNode } from '../../src/compat/index.ts';
import { type Collision, collisionAt } from './support/collision.ts';
import { sampleKeys } from './support/keys.ts';
import { misplaced } from './support/misplaced.ts';
import { askOverHttp } from './support/pipeline.ts';

const keys = sampleKeys(2_000, 1, 900);

/** Nothing listens there: nginx has chosen when it is refused, and says whom. */
const address = (port: number, i: number) => `127.83.${61 + Math.floor(i / 200)}.${1 + (i % 200)}:${port}`;

interface Upstream {
  readonly servers: readonly SystemNode[];
  readonly consistent?: false;
  /** The server of a peer, where nginx does not call it by its id. */
  readonly peers?: Readonly<Record<string, string>>;
}

const weights = [1, 3, 2, 1, 7];

/** @param portless an address with no listener on port 80, if there is one */
function upstreams(port: number, directory: string, portless?: string): Record<string, Upstream> {
  const five = weights.map((_, i) => ({ id: address(port, i) }));
  const weighted = five.map((node, i) => ({ ...node, weight: weights[i]! }));
  const oneDown = five.map((node, i) => ({ ...node, down: i === 1 }));
  return {
    equal: { servers: five },
    weighted: { servers: weighted },
    mixed: {
      servers: [
        { id: `unix:${directory}/a.sock` },
        { id: `UNIX:${directory}/b.sock`, weight: 2 },
        { id: `localhost:${port}` },
        { id: address(port, 7) },
        ...(portless === undefined ? [] : [{ id: portless }]),
      ],
      peers: {
        [`${portless}:80`]: `${portless}`,
        [`127.0.0.1:${port}`]: `localhost:${port}`,
        [`[::1]:${port}`]: `localhost:${port}`,
      },
    },
    down: { servers: oneDown },
    twoDown: { servers: five.map((node, i) => ({ ...node, down: i < 2 })) },
    many: {
      servers: Array.from({ length: 100 }, (_, i) => ({ id: address(port, i), weight: 1 + (i % 10) })),
    },
    weightedDown: { servers: weighted.map((node, i) => ({ ...node, down: i === 1 })) },
    plainEqual: { servers: five, consistent: false },
    plain: { servers: weighted, consistent: false },
    plainDown: { servers: oneDown, consistent: false },
    single: { servers: [five[0]!] },
  };
}

describeWith('nginx', 'nginxHash and nginx', () => {
  let nginx: PortServer;
  let all: Record<string, Upstream>;
  let collision: Collision;

  beforeAll(async () => {
    const [deaf] = await freePorts(1);
    collision = collisionAt(deaf!);
    const portless = await accepts(80).then(
      () => undefined,
      () => '127.83.60.9',
    );
    nginx = await startNginx({
      config: ({ port, directory }) => {
        all = upstreams(deaf!, directory, portless);
        const colliding = {
          collision: { servers: collision.servers },
          collisionUp: { servers: collision.servers.map(({ id }) => ({ id })) },
        };
        return configOf(port, { ...all, ...colliding });
      },
    });
  });
  afterAll(() => nginx?.stop());

  for (const name of Object.keys(upstreams(1, ''))) {
    it(`place alike: ${name}`, async () => {
      const { servers, consistent, peers = {} } = all[name]!;
      const placement = nginxHash(servers, consistent === false ? { consistent } : {});
      const asked = await askOverHttp(nginx.port, `/${name}`, keys, 'x-peer');
      const owners = asked.map(peer => peers[peer] ?? peer);
      expect(misplaced(placement, keys, owners)).toEqual([]);
      expect(new Set(owners).size).toBeGreaterThan(placement.size / 2);
    });
  }

  it('place alike where two servers share a point: the second does not have it', async () => {
    const { servers, keys: shared } = collision;
    const owners = await askOverHttp(nginx.port, '/collision', shared, 'x-peer');
    expect(misplaced(nginxHash(servers), shared, owners)).toEqual([]);
    expect(new Set(owners)).toEqual(new Set([servers[2].id]));
    const up = servers.map(({ id }) => ({ id }));
    const first = await askOverHttp(nginx.port, '/collisionUp', shared, 'x-peer');
    expect(misplaced(nginxHash(up), shared, first)).toEqual([]);
    expect(new Set(first)).toEqual(new Set([servers[0].id]));
  });

  describe('retry in the same order', () => {
    // After 20 points, or hashes, nginx turns to round robin: that many in vain are as good as impossible here
    const retried = { equal: 3, down: 2, plainEqual: 3, plainDown: 2 };
    for (const [name, count] of Object.entries(retried)) {
      it(name, async () => {
        const { servers, consistent } = all[name]!;
        const placement = nginxHash(servers, consistent === false ? { consistent } : {});
        const tried = await askOverHttp(nginx.port, `/retry/${name}`, keys, 'x-peer');
        const firsts = tried.map(peers => peers.split(', ').slice(0, count));
        expect(firsts).toEqual(keys.map(key => placement.getN(key, count)));
      });
    }
  });
});

function configOf(port: number, all: Record<string, Upstream>): string {
  const blocks = Object.entries(all).map(([name, { servers, consistent }]) => {
    const lines = servers.map(
      ({ id, weight = 1, down }) => `server ${id} weight=${weight} max_fails=0${down ? ' down' : ''};`,
    );
    return `upstream ${name} { hash $http_x_key${consistent === false ? '' : ' consistent'}; ${lines.join(' ')} }`;
  });
  const locations = Object.keys(all).map(
    name => `
      location = /${name} { proxy_pass http://${name}; proxy_next_upstream off; }
      location = /retry/${name} { proxy_pass http://${name}; proxy_next_upstream error; }`,
  );
  return `
    error_log /dev/null crit;
    keepalive_requests 1000000;
    ${blocks.join('\n')}
    server {
      listen 127.0.0.1:${port};
      add_header x-peer $upstream_addr always;
      ${locations.join('')}
    }`;
}
