import { createServer } from 'node:http';
import { LoadBalancer } from '@ashlar/lb';
import { reverseProxy } from '@ashlar/lb/proxy';
import { backendUrls, listen } from './listen.ts';

const endpoints = backendUrls.map((url, i) => ({ id: `backend-${i}`, url }));
listen(createServer(reverseProxy(new LoadBalancer({ endpoints }))));
