// A server that answers after 10 ms, after a second, or at once with 503, as it is told.
import { createServer } from 'node:http';
import { LoadGauge } from '@ashlar/lb';

let mode = 'well';
const answer = (response, status) => response.writeHead(status).end();
const gauge = new LoadGauge();
const server = createServer((request, response) => {
  if (request.url === '/load') return response.end(JSON.stringify(gauge.read()));
  response.on('close', gauge.begin());
  if (mode === 'failing') answer(response, 503);
  else setTimeout(answer, mode === 'slow' ? 1_000 : 10, response, 200);
});
server.keepAliveTimeout = 60_000;
const [host, port] = process.argv.slice(2);
server.on('error', error => process.send({ error: error.code }));
server.listen(Number(port), host, () => process.send({ port: server.address().port }));
process.on('message', told => {
  mode = told;
  process.send({ mode });
});
process.on('disconnect', () => process.exit());
