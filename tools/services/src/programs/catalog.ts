/** The name of a service, as `provide`, `available` and `describeWith` take it. */
export type ServiceName =
  | 'redis'
  | 'postgres'
  | 'rabbitmq'
  | 'nats'
  | 'nginx'
  | 'haproxy'
  | 'nutcracker'
  | 'pgbouncer'
  | 'memcached'
  | 'etcd'
  | 'patroni'
  | 'libmemcached'
  | 'cc';

/** What a service is called elsewhere. */
export interface CatalogEntry {
  /** The file that is looked for: a program, or a header relative to its folder. */
  readonly file: string;
  /** Where the file also is when the PATH does not name it; `*` stands for one folder, the highest version first. */
  readonly folders: readonly string[];
  /** `path`: the PATH, then the folders; `folders`: the folders, then the PATH; `header`: the folders only. */
  readonly order: 'path' | 'folders' | 'header';
  /** The oldest major version that will do. */
  readonly atLeast?: number;
  /** The packages of Debian that bring it. */
  readonly debian: readonly string[];
  /** The environment variables that may hold the URL of a server that runs already, the first that is set. */
  readonly urls: readonly string[];
  /** The image that brings the same program. */
  readonly image?: string;
}

const programFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/opt/homebrew/bin'];
const headerFolders = ['/usr/include', '/usr/local/include', '/opt/homebrew/include'];

function program(file: string, debian: readonly string[], more: Partial<CatalogEntry> = {}): CatalogEntry {
  return { file, debian, folders: programFolders, order: 'path', urls: [], ...more };
}

/** Every service that there is. */
export const catalog: Readonly<Record<ServiceName, CatalogEntry>> = {
  redis: program('redis-server', ['redis-server'], {
    urls: ['ASHLAR_REDIS_URL', 'REDIS_URL'],
    image: 'redis:7',
  }),
  postgres: program('postgres', ['postgresql'], {
    urls: ['ASHLAR_POSTGRES_URL', 'POSTGRES_URL'],
    folders: ['/usr/lib/postgresql/*/bin', ...programFolders],
    atLeast: 15,
  }),
  // Debian's /usr/sbin/rabbitmq-server is a wrapper that changes the user; the program itself is elsewhere.
  rabbitmq: program('rabbitmq-server', ['rabbitmq-server'], {
    urls: ['ASHLAR_RABBITMQ_URL', 'RABBITMQ_URL'],
    folders: ['/usr/lib/rabbitmq/bin', ...programFolders],
    order: 'folders',
    image: 'rabbitmq:3',
  }),
  nats: program('nats-server', ['nats-server'], { urls: ['ASHLAR_NATS_URL', 'NATS_URL'], image: 'nats:2' }),
  nginx: program('nginx', ['nginx'], { image: 'nginx:1' }),
  haproxy: program('haproxy', ['haproxy'], { image: 'haproxy:2.6' }),
  nutcracker: program('nutcracker', ['nutcracker']),
  pgbouncer: program('pgbouncer', ['pgbouncer']),
  memcached: program('memcached', ['memcached'], { image: 'memcached:1' }),
  etcd: program('etcd', ['etcd-server']),
  patroni: program('patroni', ['patroni', 'python3-psycopg2']),
  libmemcached: program('libmemcached/memcached.h', ['libmemcached-dev'], {
    folders: headerFolders,
    order: 'header',
  }),
  cc: program('cc', ['gcc', 'libc6-dev']),
};
