import { startWorker, type WorkerOptions } from './worker.ts';

const options = JSON.parse(process.argv[2]!) as WorkerOptions;
const close = await startWorker(options, written => process.send!(written));
process.on('message', async () => {
  await close();
  process.disconnect();
});
