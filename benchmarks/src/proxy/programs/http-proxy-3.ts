import { Agent, createServer } from 'node:http';
import httpProxy from 'http-proxy-3';
import { backendUrls, listen } from './listen.ts';

// It has no balancing of its own: in turns, over kept connections
const proxy = httpProxy.createProxyServer({ agent: new Agent({ keepAlive: true }) });
let next = 0;
const server = createServer((request, response) => {
  const target = backendUrls[next]!;
  next = (next + 1) % backendUrls.length;
  proxy.web(request, response, { target }, () => response.writeHead(502).end());
});
listen(server);
