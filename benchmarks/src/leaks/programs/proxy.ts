import { createServer } from 'node:http';
import { LoadBalancer } from '@ashlar/lb';
import { reverseProxy } from '@ashlar/lb/proxy';
import { backendUrls, listen } from '../../proxy/programs/listen.ts';
import { obey } from '../sample.ts';

const endpoints = backendUrls.map((url, i) => ({ id: `backend-${i}`, url }));
// Failures are a part of the mix: nobody is to be ejected for them
const lb = new LoadBalancer({ endpoints, outlier: false });
const proxy = reverseProxy(lb, { headersTimeoutMs: 500, idleTimeoutMs: 500 });
obey(lb);
listen(createServer(proxy).on('upgrade', proxy.upgrade));
