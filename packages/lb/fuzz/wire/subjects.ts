import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type BalancerSnapshot, type EndpointWithUrl, LoadBalancer } from '@ashlar/lb';
import { type ReverseProxy, reverseProxy } from '@ashlar/lb/proxy';
import { available, startHaproxy, startNginx } from '@workspace/services';

export const peerNames = ['nginx', 'haproxy'] as const;
export type PeerName = (typeof peerNames)[number];

/** What ours keeps of a request body; little, so that much goes through in pieces. */
export const requestBufferBytes = 4_096;

/** A proxy with a port for each lane, which leads to the endpoint of that lane and no other. */
export interface Subject extends AsyncDisposable {
  readonly name: 'ours' | PeerName;
  readonly ports: readonly number[];
  /** Of the balancer behind that port, where it is ours. */
  snapshot(lane: number): BalancerSnapshot | undefined;
}

/** Puts something before the proxy, so that a test can plant faults. */
export type Wrap = (proxy: ReverseProxy) => ReverseProxy;

/** What each side may take before it is given up, for all proxies alike. */
const timeoutMs = 600;

export async function startOurs(targets: readonly number[], wrap: Wrap = proxy => proxy): Promise<Subject> {
  const lanes = targets.map(target => {
    const endpoints: EndpointWithUrl[] = [{ id: 'only', url: `http://127.0.0.1:${target}` }];
    // The only endpoint could not be ejected for long; what is held against it is counted all the same
    const lb = new LoadBalancer({ endpoints, outlier: false });
    const times = { connectTimeoutMs: timeoutMs, headersTimeoutMs: timeoutMs, idleTimeoutMs: timeoutMs };
    const buffers = { requestBufferBytes, responseBufferBytes: 4_096 };
    const proxy = wrap(reverseProxy(lb, { ...times, ...buffers }));
    const server = createServer(proxy).on('upgrade', proxy.upgrade).listen(0, '127.0.0.1');
    return { lb, proxy, server };
  });
  await Promise.all(lanes.map(({ server }) => new Promise(resolve => server.once('listening', resolve))));
  return {
    name: 'ours',
    ports: lanes.map(({ server }) => (server.address() as AddressInfo).port),
    snapshot: lane => lanes[lane]!.lb.snapshot(),
    async [Symbol.asyncDispose]() {
      for (const { lb, proxy, server } of lanes) {
        server.close();
        server.closeAllConnections();
        await proxy.close();
        await lb.close();
      }
    },
  };
}

/** Why the server is not here, or its starter. */
export async function peer(
  name: PeerName,
): Promise<string | ((targets: readonly number[]) => Promise<Subject>)> {
  const found = await available(name);
  if (!found.ok) return found.reason;
  return async targets => {
    const config = name === 'nginx' ? nginxConfig : haproxyConfig;
    const start = name === 'nginx' ? startNginx : startHaproxy;
    const server = await start({ ports: targets.length, config: ({ ports }) => config(ports, targets) });
    const { ports } = server;
    return { name, ports, snapshot: () => undefined, [Symbol.asyncDispose]: () => server.stop() };
  };
}

function nginxConfig(ports: readonly number[], targets: readonly number[]): string {
  const lanes = ports.map(
    (port, lane) => `
    upstream lane${lane} { server 127.0.0.1:${targets[lane]}; keepalive 16; keepalive_requests 1000000; }
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://lane${lane};
        proxy_http_version 1.1;
        proxy_request_buffering off;
        proxy_set_header Connection $passed_connection;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Port "";
        proxy_set_header Forwarded "";
        proxy_connect_timeout ${timeoutMs}ms;
        proxy_read_timeout ${timeoutMs}ms;
        proxy_send_timeout ${timeoutMs}ms;
      }
    }`,
  );
  return `
    map $http_upgrade $passed_connection { default upgrade; '' ''; }
    keepalive_requests 1000000;
    client_header_timeout ${timeoutMs}ms;
    client_body_timeout ${timeoutMs}ms;
    client_max_body_size 0;
    large_client_header_buffers 8 64k;
    proxy_buffer_size 128k;
    proxy_buffers 8 128k;
    proxy_busy_buffers_size 256k;
    ${lanes.join('\n')}`;
}

function haproxyConfig(ports: readonly number[], targets: readonly number[]): string {
  const lanes = ports.map(
    (port, lane) => `
frontend in${lane}
  bind 127.0.0.1:${port}
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request del-header X-Forwarded-Port
  http-request del-header Forwarded
  default_backend out${lane}
backend out${lane}
  server only 127.0.0.1:${targets[lane]}`,
  );
  return `
global
  nbthread 1
  tune.bufsize 131072
  tune.maxrewrite 8192
  tune.http.maxhdr 32767
defaults
  mode http
  timeout connect ${timeoutMs}
  timeout client ${timeoutMs}
  timeout server ${timeoutMs}
  timeout tunnel ${timeoutMs}
  timeout http-request ${timeoutMs}
  timeout http-keep-alive 30s
${lanes.join('\n')}
`;
}
