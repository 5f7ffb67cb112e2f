// A server that answers after 10 ms, after a second, or at once with 503, as it is told.
import { createServer } from 'node:http';

let mode = 'well';
const answer = (response, status) => response.writeHead(status).end();
const server = createServer((_, response) => {
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
