// What another example takes from this one.
export { type PostgresServers, startPostgresServers } from './clusters/postgres-servers.ts';
export { type LocalServer, ServersError, servicesFor } from './clusters/services.ts';
