import replyFrom from '@fastify/reply-from';
import fastify from 'fastify';
import { backendUrls, listen } from './listen.ts';

// Several upstreams are what its documentation gives to undici's BalancedPool
const app = fastify();
// As @fastify/http-proxy does: bodies go on as streams
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
app.register(replyFrom, { base: [...backendUrls] });
app.all('/*', (request, reply) => reply.from(request.url));
await app.ready();
listen(app.server);
