import { startBroker } from '../../src/adapters/zeromq.ts';

const broker = await startBroker(JSON.parse(process.argv[2]!));
process.on('SIGTERM', () => {
  void broker.close();
});
