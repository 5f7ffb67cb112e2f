// The proxy in front of the replicas, a process of its own.
import { subscribe } from 'node:diagnostics_channel';
import { on } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type EjectMessage, type EndpointWithUrl, LoadBalancer } from '@ashlar/lb';
import { reverseProxy } from '@ashlar/lb/proxy';
import { balancerPolicies } from '../policies.ts';
import { givenSettings, serve } from '../processes/lifeline.ts';
import { productKey } from '../product-path.ts';
import type { Announcement, Notice, ProxySettings } from './messages.ts';

const { port, policy: name } = givenSettings<ProxySettings>();
const policy = balancerPolicies[name]();

// #region wiring
const balancer = new LoadBalancer({ name: 'storefront', endpoints: announced(), policy });
const proxy = reverseProxy(balancer, { key: request => productKey(request.url) });
const server = createServer((request, response) => {
  if (request.url === '/balancer') showBalancer(response);
  else proxy(request, response);
});
// #endregion wiring

/** Discovery: full sets of replicas, whenever the parent announces one. */
async function* announced(): AsyncGenerator<readonly EndpointWithUrl[]> {
  for await (const [message] of on(process, 'message')) yield (message as Announcement).endpoints;
}

subscribe('ashlar:lb:endpoints', () => send({ type: 'endpoints' }));
subscribe('ashlar:lb:eject', message => {
  const { endpoint } = message as EjectMessage;
  send({ type: 'ejected', replica: endpoint });
});

function send(notice: Notice): void {
  process.send?.(notice);
}

function showBalancer(response: ServerResponse): void {
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify(balancer.snapshot(), null, 2)}\n`);
}

await serve(server, { port });
