import { createServer } from 'node:http';
import { Pool } from 'undici';
import { backendUrls, listen } from './listen.ts';

// The floor of what stands on node:http and undici: in turns, without backpressure, time limits, retries or care for headers
const pools = backendUrls.map(url => new Pool(url));
let next = 0;
const server = createServer((request, response) => {
  const { url = '/', method = 'GET', headers } = request;
  const body = headers['content-length'] === undefined ? null : request;
  pools[next++ % pools.length]!.dispatch(
    { path: url, method: method as 'GET' | 'POST', headers, body },
    {
      onRequestStart: () => {},
      onResponseStart: (_, status, its) => void response.writeHead(status, its),
      onResponseData: (_, chunk) => void response.write(chunk),
      onResponseEnd: () => void response.end(),
      onResponseError: () => void response.destroy(),
    },
  );
});
listen(server);
